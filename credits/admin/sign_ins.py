"""The sign-in log, to read."""

from ipaddress import ip_address
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, label, link
from credits.admin.tables import table
from credits.models import SignIn, User

Outcome = SignIn.Outcome
VARIANTS = {
    Outcome.SIGNED_IN: "success",
    Outcome.WRONG_PASSWORD: "danger",
    Outcome.WRONG_CODE: "danger",
    Outcome.REFUSED: "warning",
}
SHOWN_OF_A_USER = 10


def outcome_label(sign_in: SignIn) -> str:
    return label(sign_in.get_outcome_display(), VARIANTS.get(Outcome(sign_in.outcome), ""))


def last_of(user: User) -> dict[str, Any]:
    """The user's newest lines, as a table."""
    headers = ("When (UTC)", "What", "With", "From", "Browser")
    newest = user.sign_ins.all()[:SHOWN_OF_A_USER]
    return table(headers, [(s.at, outcome_label(s), s.methods, s.ip, s.user_agent) for s in newest])


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdmin):
    list_display = ("at", "who", "shown_outcome", "methods", "ip", "user_agent")
    list_filter = ("outcome", ("user", AutocompleteSelectFilter), ("at", DayRangeFilter))
    list_select_related = ("user",)
    # Django shows the search box where there are some; get_search_results looks up the two.
    search_fields = ("email", "ip")
    search_help_text = "A whole email address or a whole IP address"
    sortable_by = ()
    fields = ("at", "who", "shown_outcome", "methods", "ip", "user_agent")
    readonly_fields = ("who", "shown_outcome")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().lower()
        if not term:
            return queryset, False
        try:
            return queryset.filter(ip=str(ip_address(term))), False
        except ValueError:
            return queryset.filter(email=term), False

    @admin.display(description="who")
    def who(self, sign_in: SignIn) -> str:
        return link(sign_in.user, sign_in.email) if sign_in.user else f"{sign_in.email} (nobody's)"

    @admin.display(description="outcome")
    def shown_outcome(self, sign_in: SignIn) -> str:
        return outcome_label(sign_in)

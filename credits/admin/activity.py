"""The spends and entries of an organization, on the tab of its page where they are searched."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credits import movements
from credits.admin import tabs
from credits.admin.base import StaffRequest, label, link
from credits.admin.overview import kind_label, noted, why
from credits.admin.tables import number, table
from credits.models import MAX_REFERENCE_LENGTH, Action, ApiKey, Entry, Organization, Spend, User

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin

SPEND_LABELS = {"spent": "success", "held": "warning"}
# So many actions or keys that begin alike are looked for; whoever means another writes more of it.
MOST_ALIKE = 100
MOST_DIGITS = 18


class MomentInput(UnfoldAdminTextInputWidget):
    input_type = "datetime-local"


def _words(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        max_length=MAX_REFERENCE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
    )


def _moment(label: str) -> forms.DateTimeField:
    return forms.DateTimeField(label=label, required=False, widget=MomentInput)


class SearchForm(forms.Form):
    """What both lists can be searched by; their rows have STATES, which a list has its name for."""

    STATE = ""
    STATES: list[tuple[str, str]] = []

    reference = _words("Reference", "How it begins.")
    action = _words("Action", "How its code begins.")
    api_key = _words("API key", "How its name or its shown start begins.")
    idempotency_key = _words("Idempotency key", "All of it.")
    state = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    start = _moment("From (UTC)")
    end = _moment("Before (UTC)")

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organization = organization
        self.fields["state"].label = self.STATE
        self.fields["state"].choices = [("", "Any"), *self.STATES]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start and end and end <= start:
            self.add_error("end", "Choose a moment after the first one.")
        return self.cleaned_data

    @property
    def search(self) -> movements.Search:
        asked = self.cleaned_data
        return movements.Search(
            reference=asked["reference"],
            idempotency_key=asked["idempotency_key"],
            state=asked["state"],
            action_ids=self._actions(asked["action"]) if asked["action"] else None,
            api_key_ids=self._api_keys(asked["api_key"]) if asked["api_key"] else None,
            start=asked["start"],
            end=asked["end"],
        )

    def _actions(self, beginning: str) -> list[int]:
        return _ids(Action.objects.filter(code__istartswith=beginning))

    def _api_keys(self, beginning: str) -> list[int]:
        """Those of the organization, and of services, which may spend for everybody."""
        mine = Q(organization=self.organization) | Q(service__isnull=False)
        alike = Q(name__istartswith=beginning) | Q(prefix__startswith=beginning)
        return _ids(ApiKey.objects.filter(mine & alike))


class SpendsForm(SearchForm):
    STATE = "Status"
    STATES = [(status.value, status.label) for status in Spend.Status]


class EntriesForm(SearchForm):
    STATE = "Kind"
    STATES = [(kind.value, kind.label) for kind in Entry.Kind]


def _ids(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:MOST_ALIKE])


class Listing:
    """What the two lists share: each has a form, finds what it asks for, and shows its rows."""

    def __init__(self, organization: Organization, user: User) -> None:
        self.organization = organization
        self.user = user


class SpendListing(Listing):
    title = "Spends"
    form_class = SpendsForm
    headers = (
        "When",
        "Action",
        "Quantity",
        "Credits",
        "Status",
        "Reference",
        "API key",
        "Left after",
        "Do",
    )

    def find(self, search: movements.Search, after: str) -> movements.Page[Spend, UUID]:
        """What is searched, from behind the spend `after`; raises Http404 where there is none."""
        return movements.find_spends(self.organization, search, self._spend(after))

    def _spend(self, pk: str) -> Spend | None:
        try:
            return get_object_or_404(self.organization.spends, pk=UUID(pk)) if pk else None
        except ValueError:
            raise Http404("There is no such spend to go on from.") from None

    def row(self, row: Spend) -> list[Any]:
        back = row.returned_credits
        return [
            row.created_at,
            link(row, row.action.code),
            number(row.quantity),
            noted(row.credits, f"{back:,} given back" if back else ""),
            label(row.get_status_display(), SPEND_LABELS.get(row.status, "")),
            row.reference,
            row.api_key and row.api_key.name,
            number(row.balance_after),
            self._ways(row),
        ]

    def _ways(self, spend: Spend) -> str:
        way = partial(tabs.way, self.user, pk=spend.pk)
        if spend.status == Spend.Status.HELD:
            change = way("Release", "credits_spend_release", permission="credits.release_hold")
        elif spend.status == Spend.Status.SPENT and spend.kept_credits:
            change = way("Refund", "credits_spend_refund", permission="credits.refund_spend")
        else:
            change = ""
        explain = way("Explain", "credits_spend_explain", permission="credits.view_spend")
        return tabs.ways(explain, change)


class EntryListing(Listing):
    title = "Entries"
    form_class = EntriesForm
    headers = ("No.", "When", "What", "Credits", "Left in grant", "Grant", "Why", "Do")

    def find(self, search: movements.Search, after: str) -> movements.Page[Entry, int]:
        """What is searched, from behind the entry of this number; raises Http404 for no number."""
        if after and not (after.isascii() and after.isdigit() and len(after) <= MOST_DIGITS):
            raise Http404("There is no such entry to go on from.")
        return movements.find_entries(self.organization, search, int(after) if after else None)

    def row(self, row: Entry) -> list[Any]:
        return [
            link(row, str(row.seq)),
            row.created_at,
            row.get_kind_display(),
            number(row.credits, "+"),
            number(row.remaining_after),
            kind_label(row.grant),
            why(row),
            self._ways(row),
        ]

    def _ways(self, entry: Entry) -> str:
        """What is done to the spend that an entry belongs to, or to the grant that it made."""
        if entry.spend_id:
            explain = "credits_spend_explain"
            return tabs.way(self.user, "Explain", explain, entry.spend_id, "credits.view_spend")
        return tabs.revoke(self.user, entry.grant) if entry.kind == Entry.Kind.GRANT else ""


LISTINGS: dict[str, type[SpendListing] | type[EntryListing]] = {
    "spends": SpendListing,
    "entries": EntryListing,
}


def show(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    chosen = request.GET.get("list", "spends")
    if chosen not in LISTINGS:
        raise Http404("There is no such list.")
    listing = LISTINGS[chosen](organization, request.user)
    form = listing.form_class(request.GET, organization=organization)
    found: movements.Page[Any, Any] = movements.Page([])
    if form.is_valid():
        found = listing.find(form.search, request.GET.get("after", ""))
    return tabs.page(
        model_admin,
        request,
        organization,
        "admin/credits/organization/activity.html",
        form=form,
        found=found,
        chosen=chosen,
        lists=[(name, each.title) for name, each in LISTINGS.items()],
        clear=f"{request.path}?list={chosen}",
        scanned=f"{movements.SCANNED_ROWS:,}",
        table=table(listing.headers, map(listing.row, found.rows)),
    )


TAB = tabs.Tab("activity", "Activity", ("credits.view_spend", "credits.view_entry"), show)

"""Where credits went: a balance at any moment, and the story of a spend, for support."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from unfold.widgets import UnfoldAdminTextInputWidget

from credits import explain_text, ledger
from credits.admin.base import StaffRequest, label, link
from credits.admin.overview import GRANT_LABELS
from credits.admin.tables import number, table
from credits.ledger import Explanation, GrantExplanation, SpendExplanation
from credits.ledger.explaining import why_not
from credits.ledger.spend_stories import Returned
from credits.models import Entry, Grant, Organization, Spend

if TYPE_CHECKING:
    from credits.admin.ledger import SpendAdmin
    from credits.admin.organizations import OrganizationAdmin

ORGANIZATION_PERMISSIONS = ("credits.view_organization", "credits.view_entry")
SPEND_PERMISSIONS = ("credits.view_spend", "credits.view_entry")
INPUT = "%Y-%m-%dT%H:%M:%S"


class MomentForm(forms.Form):
    """The moment to explain, in UTC; now if it is left empty."""

    at = forms.DateTimeField(
        label="Moment (UTC)",
        required=False,
        error_messages={"invalid": "Write a moment like 2026-11-23T12:00:00."},
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"}),
    )

    def __init__(
        self, *args: Any, organization: Organization, now: datetime, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.organization, self.now = organization, now

    def clean_at(self) -> datetime:
        at: datetime = self.cleaned_data["at"] or self.now
        if problem := why_not(self.organization, at=at, now=self.now):
            raise forms.ValidationError(problem)
        return at


def explain_organization_view(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    """The moment chooser, and what there was at that moment; now at first."""
    now = timezone.now()
    form = MomentForm(request.GET, organization=organization, now=now)
    page = None
    if form.is_valid():
        at = form.cleaned_data["at"]
        page = BalancePage(ledger.explain(organization, at=at), request)
        form = MomentForm(organization=organization, now=now, initial={"at": f"{at:{INPUT}}"})
    return model_admin.page(
        request,
        "admin/credits/organization/explain.html",
        organization,
        title=f"Explain the balance of {organization}",
        form=form,
        choices=_quick_choices(organization, now),
        page=page,
    )


def _quick_choices(organization: Organization, now: datetime) -> list[tuple[str, str]]:
    """Moments that are often asked for, each with the query that chooses it."""
    monday = ledger.week_start(now)
    moments = {
        "an hour ago": now - timedelta(hours=1),
        "yesterday": now - timedelta(days=1),
        "start of this week": monday,
        "end of last week": monday - timedelta(seconds=1),
        "a month ago": now - timedelta(days=30),
    }
    asked = {
        name: urlencode({"at": f"{at:{INPUT}}"})
        for name, at in moments.items()
        if not why_not(organization, at=at.replace(microsecond=0), now=now)
    }
    return [("now", ""), *asked.items()]


class BalancePage:
    """Read by the template: a balance, and each grant with its facts and entries."""

    def __init__(self, explanation: Explanation, request: StaffRequest) -> None:
        self.explanation = explanation
        self.balance = explanation.balance
        self.sees_purchases = request.user.has_perm("topups.view_purchase")

    @property
    def kinds(self) -> list[tuple[str, int]]:
        return [(Grant.Kind(kind).label, left) for kind, left in self.balance.by_kind.items()]

    @property
    def bundle_words(self) -> str:
        bundle = self.explanation.bundle
        return explain_text.written(bundle.written_at) if bundle else ""

    @property
    def grants(self) -> list[dict[str, Any]]:
        return [self._grant(one) for one in self.explanation.grants]

    @property
    def ended(self) -> list[dict[str, Any]]:
        return [self._grant(one) for one in self.explanation.ended]

    def _grant(self, one: GrantExplanation) -> dict[str, Any]:
        return {
            "kind": _kind(one.grant),
            "credits": one.standing.credits,
            "amount": one.grant.amount,
            "facts": self._facts(one),
            "entries": table(
                ("No.", "When", "What", "Credits", "Left", "Why"), list(_entry_rows(one))
            ),
        }

    def _facts(self, one: GrantExplanation) -> dict[str, str]:
        facts = dict(explain_text.facts(one))
        if one.grant.purchase_id and self.sees_purchases:
            facts["purchase"] = _purchase_link(one.grant)
        return {**facts, "grant": link(one.grant, str(one.grant.pk))}


def _purchase_link(grant: Grant) -> str:
    address = reverse("admin:topups_purchase_change", args=[grant.purchase_id])
    return format_html('<a class="text-link" href="{}">{}</a>', address, grant.purchase_id)


def _entry_rows(one: GrantExplanation) -> Iterator[list[Any]]:
    """The opening, the sums and the entries, oldest first, as they add up to what remained."""
    if one.opening_at:
        left = number(one.opening_credits)
        yield [None, f"Before {explain_text.moment(one.opening_at)}", "Opening", None, left, None]
    for line in one.sums:
        credits = number(line.credits, "+")
        yield [None, f"{line.entries:,} entries before", line.label, credits, None, None]
    for entry in reversed(one.entries):
        yield [
            link(entry, str(entry.seq)),
            entry.created_at,
            entry.get_kind_display(),
            number(entry.credits, "+"),
            number(entry.remaining_after),
            _why(entry),
        ]


def _why(entry: Entry) -> str:
    by_staff = explain_text.by(entry.actor, entry.reason)
    if entry.spend is None:
        return by_staff
    address = reverse("admin:credits_spend_explain", args=[entry.spend.pk])
    return format_html(
        '<a class="text-link" href="{}">{}</a> {} {}',
        address,
        entry.spend.action.code,
        entry.spend.reference,
        by_staff,
    )


def explain_spend_view(
    model_admin: "SpendAdmin", request: StaffRequest, spend: Spend
) -> HttpResponse:
    """The story of one spend or hold."""
    told = ledger.explain_spend(spend)
    return model_admin.page(
        request,
        "admin/credits/spend/explain.html",
        spend,
        title=f"Explain {'hold' if told.is_hold else 'spend'} of {spend}",
        page=SpendPage(told, request),
    )


class SpendPage:
    """Read by the template: the facts of a spend, and what became of its credits."""

    def __init__(self, told: SpendExplanation, request: StaffRequest) -> None:
        self.told = told
        self.sees_keys = request.user.has_perm("credits.view_apikey")

    @property
    def facts(self) -> dict[str, str]:
        spend, key = self.told.spend, self.told.api_key
        facts = dict(explain_text.spend_facts(self.told))
        facts["organization"] = link(spend.organization)
        if key and self.sees_keys:
            facts["key"] = format_html("{}, or a browser token made with it", link(key))
        return facts

    @property
    def drawn(self) -> dict[str, Any]:
        rows = [[_kind(e.grant), number(-e.credits), _short(e.grant)] for e in self.told.drawn]
        return table(("Grant", "Credits", "Id"), rows)

    @property
    def chapters(self) -> list[tuple[str, dict[str, Any]]]:
        """How a hold ended, and each refund: a sentence, and where the credits went."""
        settlement = self.told.settlement
        held = [(explain_text.settled(settlement), settlement.returned)] if settlement else []
        given = [(explain_text.refunded(one), one.returned) for one in self.told.refunds]
        return [(sentence, _returns(returned)) for sentence, returned in (*held, *given)]


def _returns(returned: tuple[Returned, ...]) -> dict[str, Any]:
    rows = [
        [_kind(one.grant), number(one.credits), explain_text.fate(one), _short(one.grant)]
        for one in returned
    ]
    return table(("Returned to", "Credits", "Of that at once", "Id"), rows)


def _kind(grant: Grant) -> str:
    return label(grant.get_kind_display(), GRANT_LABELS[grant.kind])


def _short(grant: Grant) -> str:
    return link(grant, str(grant.pk)[-12:])

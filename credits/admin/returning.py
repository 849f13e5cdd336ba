"""Credits that staff send where they belong: spends refunded, holds released, grants revoked."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from credits import ledger
from credits.admin.asking import reason_field
from credits.admin.base import ModelAdmin, StaffRequest, change_url, link, one_time_id
from credits.admin.rehearsing import NothingToDo, Outcome, rehearse
from credits.counting import counted
from credits.models import MAX_CREDITS, MAX_REASON_LENGTH, Entry, Grant, Organization, Spend

DONE_BEFORE = "This was done before, so nothing changed."
# What becomes at once of credits that come home.
FATES = {
    Entry.Kind.EXPIRE: "{} of them will lapse again at once, because its time is over.",
    Entry.Kind.REVOKE: "{} of them will be taken back at once, because their money went back.",
    Entry.Kind.FREEZE: "{} of them will be frozen at once, because their payment is disputed.",
}


class RefundForm(forms.Form):
    """How many credits of a spend to give back, and why."""

    credits = forms.IntegerField(
        min_value=1,
        max_value=MAX_CREDITS,
        widget=UnfoldAdminIntegerFieldWidget({"autofocus": True}),
    )
    reason = reason_field(MAX_REASON_LENGTH)
    request_id = one_time_id()


class ReleaseForm(forms.Form):
    reason = reason_field(MAX_REASON_LENGTH)


class RevokeForm(forms.Form):
    reason = reason_field(MAX_REASON_LENGTH)
    adjustment_id = one_time_id()


def why_not_refundable(spend: Spend) -> str:
    """Why nothing of a spend can be given back; empty if it can."""
    if spend.status == Spend.Status.HELD:
        return "This hold is still open. Release it to give its credits back."
    return "" if spend.kept_credits else "All of it was given back already, so nothing is left."


def why_not_releasable(spend: Spend, now: datetime) -> str:
    """Why a hold cannot be released; empty if it can."""
    if spend.hold_expires_at is None:
        return "This spend was never a hold. Refund it to give its credits back."
    if spend.status == Spend.Status.SPENT:
        return "This hold was captured. Refund it to give its credits back."
    if spend.status == Spend.Status.HELD and spend.hold_expires_at > now:
        return ""
    return "This hold ended without a capture: all of it goes back, or went back already."


def why_not_revocable(grant: Grant, now: datetime) -> str:
    """Why nothing of a grant can be taken; empty if it can."""
    if not grant.remaining:
        return "Nothing remains in this grant, so there is nothing to take."
    is_over = grant.expires_at and grant.expires_at <= now
    return "This grant has lapsed, so there is nothing to take." if is_over else ""


def refund_view(model_admin: ModelAdmin, request: StaffRequest, spend: Spend) -> HttpResponse:
    if request.method != "POST" and (why_not := why_not_refundable(spend)):
        return _leave(request, spend, why_not)
    left = counted(spend.kept_credits)
    form = RefundForm(request.POST or None, initial={"credits": spend.kept_credits})
    form.fields["credits"].help_text = f"Whole credits, at most {spend.kept_credits:,}."
    return rehearse(
        model_admin,
        request,
        spend,
        form,
        title=f"Refund {spend.action} of {spend.organization}",
        text=f"This spend took {counted(spend.credits)}, and {left} can still be given back. They "
        "go back to the grants they came from, the last drawn first.",
        button="Refund",
        act=lambda: _refund(model_admin, request, spend, form),
    )


def _refund(
    model_admin: ModelAdmin, request: StaffRequest, spend: Spend, form: RefundForm
) -> Outcome:
    credits, reason = form.cleaned_data["credits"], form.cleaned_data["reason"]
    now = timezone.now()

    def verb() -> None:
        ledger.refund(
            spend,
            credits=credits,
            idempotency_key=str(form.cleaned_data["request_id"]),
            actor=request.user,
            reason=reason,
            now=now,
        )

    try:
        effect = ledger.observe(spend.organization, verb, now=now)
    except ledger.TooManyCredits as error:
        if not error.left:
            raise NothingToDo(why_not_refundable(spend)) from error
        told = f"At most {counted(error.left)} can be given back."
        raise forms.ValidationError({"credits": told}) from error
    except ledger.IdempotencyConflict as error:
        used = "This form was used before, for another refund; open the page again."
        raise forms.ValidationError({"request_id": used}) from error
    if not effect.entries:
        raise NothingToDo(DONE_BEFORE)
    model_admin.log_change(request, spend, f"Refunded {counted(credits)}: {reason}")
    return _outcome(spend.organization, effect, f"Gave back {counted(credits)}.")


def release_view(model_admin: ModelAdmin, request: StaffRequest, hold: Spend) -> HttpResponse:
    if request.method != "POST" and (why_not := why_not_releasable(hold, timezone.now())):
        return _leave(request, hold, why_not)
    return rehearse(
        model_admin,
        request,
        hold,
        form := ReleaseForm(request.POST or None),
        title=f"Release a hold of {hold.organization}",
        text=f"This hold sets aside {hold}. Once it is released, the extension "
        "can't capture it any more.",
        button="Release",
        variant="primary",
        act=lambda: _release(model_admin, request, hold, form),
    )


def _release(
    model_admin: ModelAdmin, request: StaffRequest, hold: Spend, form: ReleaseForm
) -> Outcome:
    reason, now = form.cleaned_data["reason"], timezone.now()

    def verb() -> None:
        ledger.release(hold, actor=request.user, reason=reason, now=now)

    try:
        effect = ledger.observe(hold.organization, verb, now=now)
    except (ledger.HoldClosed, ValueError) as error:
        raise NothingToDo(why_not_releasable(hold, now)) from error
    if not effect.entries:
        raise NothingToDo(why_not_releasable(hold, now))
    model_admin.log_change(request, hold, f"Released {counted(hold.credits)}: {reason}")
    return _outcome(hold.organization, effect, f"Released {counted(hold.credits)}.")


def revoke_view(model_admin: ModelAdmin, request: StaffRequest, grant: Grant) -> HttpResponse:
    if request.method != "POST" and (why_not := why_not_revocable(grant, timezone.now())):
        return _leave(request, grant, why_not)
    return rehearse(
        model_admin,
        request,
        grant,
        form := RevokeForm(request.POST or None),
        title=f"Revoke {_named(grant)} of {grant.organization}",
        text=f"It has {counted(grant.remaining)} left, and all of it will be taken out.",
        button="Revoke",
        act=lambda: _revoke(model_admin, request, grant, form),
    )


def _revoke(
    model_admin: ModelAdmin, request: StaffRequest, grant: Grant, form: RevokeForm
) -> Outcome:
    asked, now = form.cleaned_data, timezone.now()

    def verb() -> None:
        ledger.revoke_grant(grant, **asked, actor=request.user, now=now)

    try:
        effect = ledger.observe(grant.organization, verb, now=now)
    except ledger.GrantEmpty as error:
        raise NothingToDo(why_not_revocable(grant, now)) from error
    except ledger.IdempotencyConflict as error:
        used = "This form was used before, for another adjustment; open the page again."
        raise forms.ValidationError({"adjustment_id": used}) from error
    if not effect.entries:
        raise NothingToDo(DONE_BEFORE)
    taken = counted(-sum(entry.credits for entry in effect.entries))
    model_admin.log_change(request, grant, f"Revoked {taken}: {asked['reason']}")
    return _outcome(grant.organization, effect, f"Took {taken}.", _about_money(request, grant))


def _about_money(request: StaffRequest, grant: Grant) -> Iterable[str]:
    """That revoking bought credits gives no money back, and what does."""
    if grant.kind != Grant.Kind.TOP_UP:
        return
    may_refund = request.user.has_perm("topups.refund_purchase")
    page = "refund" if may_refund else "change"
    yield format_html(
        "No money goes back by this. If the customer is to have it back, do not revoke: "
        '<a class="text-link" href="{}">refund the purchase</a>, which takes the credits by itself'
        "{}.",
        reverse(f"admin:topups_purchase_{page}", args=[grant.purchase_id]),
        "" if may_refund else " and needs somebody who may refund payments",
    )


def _leave(request: StaffRequest, obj: Spend | Grant, why_not: str) -> HttpResponse:
    messages.warning(request, why_not)
    return HttpResponseRedirect(change_url(obj))


def _outcome(
    organization: Organization, effect: ledger.Effect, done: str, more: Iterable[str] = ()
) -> Outcome:
    balance = (
        f"{organization} can spend {counted(effect.before)} now and will be able to spend "
        f"{effect.after:,}."
    )
    return Outcome(
        consequences=[*_moves(effect), balance, *more],
        facts=effect.facts,
        done=f"{done} {organization} now has {effect.after:,}.",
    )


def _moves(effect: ledger.Effect) -> Iterable[str]:
    """One sentence or two for each grant that changes."""
    for _, moves in groupby(effect.entries, attrgetter("grant_id")):
        first, *fates = moves
        way = "go back to" if first.credits > 0 else "be taken out of"
        told = format_html("{} will {} the {}.", counted(abs(first.credits)), way, _linked(first))
        for fate in fates:
            what = FATES[Entry.Kind(fate.kind)].format(counted(-fate.credits))
            told = format_html("{} {}", told, what)
        yield told


def _linked(entry: Entry) -> str:
    return link(entry.grant, _named(entry.grant))


def _named(grant: Grant) -> str:
    """Which grant it is, within a sentence."""
    kind = grant.get_kind_display().lower()
    return f"{kind} of {grant.amount:,} from {grant.created_at:%b %-d, %Y}"

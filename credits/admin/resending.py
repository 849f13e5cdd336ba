"""Emails that staff send again: those of a notice, and those that did not go out."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone

from credits import mail, notices
from credits.admin.base import ModelAdmin, StaffRequest, change_url, one_time_id
from credits.admin.rehearsing import NothingToDo, Outcome, rehearse
from credits.models import Email, Notice

NAMED_READERS = 10


class ResendForm(forms.Form):
    resend_id = one_time_id()


def why_not_resendable(notice: Notice) -> str:
    """Why the emails of a notice can't be sent again, though somebody may want them."""
    if notice.told_at is None:
        return "Its emails have not been written yet; that happens by itself within a minute."
    if notice.organization.is_suspended:
        return "The organization is suspended, so its members are told nothing."
    if notice.kind not in notices.kinds_of(notice.organization):
        return "This organization may not see its balance, so its members are not told of it."
    return "Nobody can be told again: it is over, or no member wants emails of this kind."


def resend_view(model_admin: ModelAdmin, request: StaffRequest, notice: Notice) -> HttpResponse:
    """Nothing is asked but whether to do it, so the first page says already what will happen."""
    if request.method != "POST" and not notices.readers_now(notice):
        messages.warning(request, why_not_resendable(notice))
        return HttpResponseRedirect(change_url(notice))
    empty = {"resend_id": ResendForm()["resend_id"].value()}
    form = ResendForm(request.POST or empty)
    return rehearse(
        model_admin,
        request,
        notice,
        form,
        title=f"Send “{notice}” again",
        text="The emails of this notice are sent again, to the members who want them now.",
        button="Send again",
        variant="primary",
        act=lambda: _resend(model_admin, request, notice, form),
    )


def _resend(
    model_admin: ModelAdmin, request: StaffRequest, notice: Notice, form: ResendForm
) -> Outcome:
    readers = notices.resend(notice, **form.cleaned_data, now=timezone.now())
    if not readers:
        if notices.readers_now(notice):
            raise NothingToDo("This was done before, so no more emails are sent.")
        raise NothingToDo(why_not_resendable(notice))
    emails = f"{len(readers):,} email{'s' if len(readers) > 1 else ''}"
    model_admin.log_change(request, notice, f"Sent again: {emails}.")
    named = ", ".join(reader.email for reader in readers[:NAMED_READERS])
    more = len(readers) - NAMED_READERS
    return Outcome(
        consequences=[
            f"{emails} will go out within a minute, to {named}"
            f"{f' and {more:,} more' if more > 0 else ''}.",
            "It says the same as the first time, with the next refill as of today.",
        ],
        facts=[reader.pk for reader in readers],
        done=f"{emails} will go out within a minute.",
    )


def why_not_tried(email: Email) -> str:
    if email.sent_at:
        return "This email was sent, so there is nothing to try."
    return "This email was tried less than a minute ago; try again in a moment."


def try_now(model_admin: ModelAdmin, request: StaffRequest, email: Email) -> HttpResponse:
    """Try to send an email, and say how it went."""
    if not mail.try_now(email, now=timezone.now()):
        messages.warning(request, why_not_tried(email))
    elif email.sent_at:
        model_admin.log_change(request, email, "Tried now: sent.")
        messages.success(request, f"Sent to {email.to}.")
    else:
        model_admin.log_change(request, email, f"Tried now: {email.error}")
        messages.error(request, f"It failed again, and is tried on by itself: {email.error}")
    return HttpResponseRedirect(change_url(email))

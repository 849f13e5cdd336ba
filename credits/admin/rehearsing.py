"""What staff do to a row, done once to see what happens, and once more when they confirm it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponse, HttpResponseRedirect

from credits.admin.asking import CONFIRMED
from credits.admin.base import ModelAdmin, StaffRequest, change_url


@dataclass(frozen=True)
class Outcome:
    """What was done: told to staff before and after, and the `facts` that they confirm."""

    consequences: Sequence[str]
    facts: object
    done: str

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self.facts).encode()).hexdigest()


class NothingToDo(Exception):
    """There is nothing (more) to do to the row, for the reason it is raised with."""


def rehearse(
    model_admin: ModelAdmin,
    request: StaffRequest,
    obj: Model,
    form: forms.Form,
    *,
    title: str,
    text: str,
    button: str,
    variant: str = "danger",
    act: Callable[[], Outcome],
) -> HttpResponse:
    """Show the form; when it is right, what will happen; when just that is confirmed, do it.

    `act` does it, in a transaction that is kept only if its facts are the ones that were shown;
    other facts are shown first. It raises NothingToDo, or ValidationError with what is wrong in
    which field, and touches the database alone.
    """
    words = {"title": title, "text": text, "button": button, "variant": variant, "form": form}
    confirmed = request.POST.get(CONFIRMED)
    if form.is_valid():
        try:
            outcome, is_done = _act(act, confirmed)
        except NothingToDo as reason:
            messages.warning(request, str(reason))
            return HttpResponseRedirect(change_url(obj))
        except forms.ValidationError as error:
            form.add_error(None, error)
        else:
            if is_done:
                messages.success(request, outcome.done)
                return HttpResponseRedirect(change_url(obj))
            return model_admin.page(
                request,
                "admin/credits/confirm.html",
                obj,
                **words,
                consequences=outcome.consequences,
                confirmed=CONFIRMED,
                fingerprint=outcome.fingerprint,
                changed=confirmed is not None,
            )
    return model_admin.page(
        request, "admin/credits/ask.html", obj, **words, media=model_admin.media + form.media
    )


def _act(act: Callable[[], Outcome], confirmed: str | None) -> tuple[Outcome, bool]:
    """What happens, and whether it did: it is undone unless it is what was confirmed."""
    with transaction.atomic():
        outcome = act()
        is_done = outcome.fingerprint == confirmed
        transaction.set_rollback(not is_done)
    return outcome, is_done

"""What staff do to a row: a form, then what exactly will happen, then it happens."""

from collections.abc import Callable, Sequence

from django import forms
from django.db.models import Model
from django.http import HttpResponse, HttpResponseRedirect
from unfold.widgets import UnfoldAdminTextareaWidget

from credits.admin.base import ModelAdmin, StaffRequest, change_url

CONFIRMED = "confirmed"


def reason_field(max_length: int | None) -> forms.CharField:
    return forms.CharField(
        max_length=max_length,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="Kept with it and in the log, with your name.",
    )


def ask_twice(
    model_admin: ModelAdmin,
    request: StaffRequest,
    obj: Model,
    form: forms.Form,
    *,
    title: str,
    text: str,
    button: str,
    foresee: Callable[[], Sequence[str]],
    do: Callable[[], bool],
) -> HttpResponse:
    """Show the form; when it is right, what `foresee` tells; when that is confirmed, `do` it.

    What goes wrong, `foresee` and `do` write on the form, which is then shown again: the first
    returns nothing, the second False.
    """
    words = {"title": title, "text": text, "button": button, "form": form}
    if request.method == "POST" and form.is_valid():
        if CONFIRMED in request.POST:
            if do():
                return HttpResponseRedirect(change_url(obj))
        elif consequences := foresee():
            return model_admin.page(
                request,
                "admin/credits/confirm.html",
                obj,
                **words,
                consequences=consequences,
                confirmed=CONFIRMED,
            )
    return model_admin.page(
        request, "admin/credits/ask.html", obj, **words, media=model_admin.media + form.media
    )

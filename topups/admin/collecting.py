"""Taking a shortfall from an organization's other credits, which only staff decide."""

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from credits import ledger
from credits.admin.asking import ask_twice, reason_field
from credits.admin.base import ModelAdmin, StaffRequest, change_url, one_time_id
from credits.counting import counted
from credits.models import Clawback, Entry, Grant
from credits.models.organizations import MAX_CREDITS
from topups.models import Purchase

NO_SHORTFALL = "This purchase has no shortfall, so there is nothing to take."


class CollectForm(forms.Form):
    """How many credits to take of a shortfall, and why."""

    credits = forms.IntegerField(
        min_value=1,
        max_value=MAX_CREDITS,
        widget=UnfoldAdminIntegerFieldWidget({"autofocus": True}),
        help_text="Whole credits.",
    )
    reason = reason_field(Entry._meta.get_field("reason").max_length)
    adjustment_id = one_time_id()


def shortfall_of(purchase: Purchase) -> int:
    """Credits that were used although their money went back."""
    clawback = Clawback.objects.filter(grant__purchase_id=purchase.pk).first()
    return clawback.shortfall if clawback else 0


def collect_view(
    model_admin: ModelAdmin, request: StaffRequest, purchase: Purchase
) -> HttpResponse:
    shortfall = shortfall_of(purchase)
    if request.method != "POST" and not shortfall:
        messages.warning(request, NO_SHORTFALL)
        return HttpResponseRedirect(change_url(purchase))
    available = _available(purchase)
    form = CollectForm(request.POST or None, initial={"credits": min(shortfall, available)})
    return ask_twice(
        model_admin,
        request,
        purchase,
        form,
        title=f"Take from other credits of {purchase.organization}",
        text=f"The shortfall of this purchase is {counted(shortfall)}. {purchase.organization} "
        f"has {counted(available)} now, of all kinds together.",
        button="Take credits",
        foresee=lambda: _foresee(purchase, form),
        do=lambda: _collect(model_admin, request, purchase, form),
    )


def _available(purchase: Purchase) -> int:
    return ledger.balance(purchase.organization, now=timezone.now()).total


def _foresee(purchase: Purchase, form: CollectForm) -> list[str]:
    credits, shortfall = form.cleaned_data["credits"], shortfall_of(purchase)
    available = _available(purchase)
    if credits > shortfall:
        form.add_error("credits", _too_many(shortfall))
        return []
    if credits > available:
        form.add_error("credits", _out_of_credits(purchase, available))
        return []
    return [
        f"{counted(credits)} are taken from the other credits of {purchase.organization}, in "
        f"burn-down order. It has {available:,} now and will have {available - credits:,}.",
        f"The shortfall of this purchase goes from {shortfall:,} to {shortfall - credits:,}.",
        "Should the money of this purchase come to us after all, what was taken comes back, as "
        "credits from staff.",
    ]


def _collect(
    model_admin: ModelAdmin, request: StaffRequest, purchase: Purchase, form: CollectForm
) -> bool:
    """Take and log, both or neither; whether it is done. If not, the form says why."""
    asked = form.cleaned_data
    try:
        with transaction.atomic():
            made = ledger.collect_shortfall(
                purchase.pk, **asked, actor=request.user, now=timezone.now()
            )
            if made:
                log = f"Took {counted(asked['credits'])} of the shortfall: {asked['reason']}"
                model_admin.log_change(request, purchase, log)
    except ledger.OutOfCredits as error:
        form.add_error("credits", _out_of_credits(purchase, error.available))
        return False
    except ledger.TooManyCredits as error:
        form.add_error("credits", _too_many(error.left))
        return False
    except (Grant.DoesNotExist, Clawback.DoesNotExist):
        form.add_error("credits", NO_SHORTFALL)
        return False
    except ledger.IdempotencyConflict:
        used = "This form was used before, for another adjustment; open the page again."
        form.add_error("adjustment_id", used)
        return False
    _tell(request, purchase, asked["credits"], made)
    return True


def _tell(request: StaffRequest, purchase: Purchase, credits: int, made: bool) -> None:
    left = f"{purchase.organization} now has {_available(purchase):,}."
    if made:
        messages.success(request, f"Took {counted(credits)}. {left}")
    else:
        messages.warning(request, f"This was done before, so nothing changed. {left}")


def _too_many(shortfall: int) -> str:
    return f"At most {counted(shortfall)} can be taken." if shortfall else NO_SHORTFALL


def _out_of_credits(purchase: Purchase, available: int) -> str:
    return f"{purchase.organization} has only {counted(available)}."

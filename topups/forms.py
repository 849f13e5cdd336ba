from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from credits.models import Organization, User
from topups import billing
from topups.models import Plan, Price


def offers(organization: Organization) -> QuerySet[Price]:
    """What an organization can buy: the plans on offer that have a price in its currency."""
    prices = Price.objects.filter(
        plan__is_active=True, currency=billing.currency_of(organization)
    ).select_related("plan")
    return prices.order_by("plan__position", "plan")


class TopUpForm(forms.Form):
    """Which plan, and for which of the user's organizations; with only one, it need not say.

    Cleaned, `organization` is the instance, and `price` the plan's in that organization's currency.
    """

    NOT_OFFERED = _("This is not offered any more. Choose one of those below.")

    plan = forms.ModelChoiceField(
        Plan.objects.filter(is_active=True),
        error_messages={"required": _("Choose what to buy."), "invalid_choice": NOT_OFFERED},
    )
    organization = forms.ChoiceField(
        error_messages={
            "required": _("Choose the organization that gets the credits."),
            "invalid_choice": _("You don't belong to this organization. Choose one of yours."),
        },
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organizations: dict[str, Organization] = {
            organization.public_id: organization for organization in user.organizations.all()
        }
        field = self.fields["organization"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(public_id, str(named)) for public_id, named in self.organizations.items()]
        field.required = len(self.organizations) != 1

    def clean_organization(self) -> Organization:
        public_id = self.cleaned_data["organization"] or next(iter(self.organizations))
        return self.organizations[public_id]

    def clean(self) -> dict[str, Any]:
        plan, organization = (self.cleaned_data.get(name) for name in ("plan", "organization"))
        if plan and organization:
            self.cleaned_data["price"] = offers(organization).filter(plan=plan).first()
            if self.cleaned_data["price"] is None:
                self.add_error("plan", self.NOT_OFFERED)
        return self.cleaned_data

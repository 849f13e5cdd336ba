from typing import Any

from django import forms

from credits.models import Organization, User
from topups.models import Plan


class TopUpForm(forms.Form):
    """Which plan, and for which of the user's organizations; with only one, it need not say.

    Cleaned, both are model instances.
    """

    plan = forms.ModelChoiceField(
        Plan.objects.filter(is_active=True),
        error_messages={
            "required": "Choose what to buy.",
            "invalid_choice": "This is not offered any more. Choose one of those below.",
        },
    )
    organization = forms.ChoiceField(
        error_messages={
            "required": "Choose the organization that gets the credits.",
            "invalid_choice": "You don't belong to this organization. Choose one of yours.",
        },
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organizations: dict[str, Organization] = {
            organization.public_id: organization for organization in user.organizations.all()
        }
        field = self.fields["organization"]
        assert isinstance(field, forms.ChoiceField)
        names = [(public_id, str(named)) for public_id, named in self.organizations.items()]
        field.choices = [("", "Choose one"), *names]
        field.required = len(names) != 1

    def clean_organization(self) -> Organization:
        public_id = self.cleaned_data["organization"] or next(iter(self.organizations))
        return self.organizations[public_id]

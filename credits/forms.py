from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from credits.fields import OriginsField
from credits.models import Action, ApiKey, Invitation, Membership


class ActionsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, action: Action) -> str:
        return f"{action.name} ({action.code})"


class ChangeKeyForm(forms.Form):
    """What an owner may say about an API key at any time; `initial` is what it says now."""

    name = forms.CharField(
        label=_("Name"),
        max_length=ApiKey._meta.get_field("name").max_length,
        help_text=_("Where the key is used, such as “Production CMS”."),
    )
    allowed_actions = ActionsField(
        Action.objects.filter(is_active=True),
        label=_("Restrict to actions (optional)"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Tick none to allow all of them, also those added later."),
    )
    allowed_origins = OriginsField(
        label=_("Web pages that may use browser tokens (optional)"),
        required=False,
        help_text=_("One origin on each line, such as https://shop.example."),
    )

    def __init__(self, *args: Any, key: ApiKey | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if key:
            # Also those no longer on sale: losing its last one would open the key to all.
            on_sale_or_its_own = Q(is_active=True) | Q(pk__in=key.allowed_actions.all())
            actions = Action.objects.filter(on_sale_or_its_own)
            self.fields["allowed_actions"].queryset = actions  # type: ignore[attr-defined]
            self.initial = {
                "name": key.name,
                "allowed_actions": key.allowed_actions.all(),
                "allowed_origins": key.allowed_origins,
            }


class ApiKeyForm(ChangeKeyForm):
    """What an owner says about a new API key; `today` is the day it is in UTC."""

    expires_on = forms.DateField(
        label=_("Expires on (optional)"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("The key stops working at 00:00 UTC of this day."),
    )
    field_order = ("name", "expires_on")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tomorrow = today + timedelta(days=1)
        self.fields["expires_on"].widget.attrs["min"] = self.tomorrow.isoformat()

    def clean_expires_on(self) -> date | None:
        expires_on: date | None = self.cleaned_data["expires_on"]
        if expires_on and expires_on < self.tomorrow:
            raise ValidationError(_("Choose a day after today."))
        return expires_on

    @property
    def expires_at(self) -> datetime | None:
        expires_on = self.cleaned_data["expires_on"]
        return datetime.combine(expires_on, time(), UTC) if expires_on else None


class RotateKeyForm(forms.Form):
    """How much longer the old secret works."""

    GRACES = (
        ("0", _("It stops at once")),
        ("1", _("1 hour")),
        ("24", _("24 hours")),
        ("168", _("7 days")),
    )
    grace = forms.TypedChoiceField(
        label=_("How long the old key goes on working"),
        choices=GRACES,
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial="24",
        widget=forms.RadioSelect,
        help_text=_("Time to put the new key everywhere the old one is used."),
    )


class RoleForm(forms.Form):
    """What somebody is in an organization."""

    role = forms.ChoiceField(
        label=_("Role"),
        choices=Membership.Role.choices,
        initial=Membership.Role.MEMBER,
        widget=forms.RadioSelect,
        help_text=_("Members can top up. Owners also manage members and API keys."),
    )


class InvitationForm(RoleForm):
    """Whom an owner asks to join."""

    email = forms.EmailField(
        label=_("Email address"),
        max_length=Invitation._meta.get_field("email").max_length,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("email", "role")

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from credits.fields import OriginsField
from credits.models import Action, ApiKey


class ActionsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, action: Action) -> str:
        return f"{action.name} ({action.code})"


class ApiKeyForm(forms.Form):
    """What an owner says about a new API key; `today` is the day it is in UTC."""

    name = forms.CharField(
        max_length=ApiKey._meta.get_field("name").max_length,
        help_text="Where the key is used, such as “Production CMS”.",
    )
    expires_on = forms.DateField(
        label="Expires on (optional)",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The key stops working at 00:00 UTC of this day.",
    )
    allowed_actions = ActionsField(
        Action.objects.filter(is_active=True),
        label="Restrict to actions (optional)",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick none to allow all of them, also those added later.",
    )

    allowed_origins = OriginsField(
        label="Web pages that may use browser tokens (optional)",
        required=False,
        help_text="One origin on each line, such as https://shop.example.",
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tomorrow = today + timedelta(days=1)
        self.fields["expires_on"].widget.attrs["min"] = self.tomorrow.isoformat()

    def clean_expires_on(self) -> date | None:
        expires_on: date | None = self.cleaned_data["expires_on"]
        if expires_on and expires_on < self.tomorrow:
            raise ValidationError("Choose a day after today.")
        return expires_on

    @property
    def expires_at(self) -> datetime | None:
        expires_on = self.cleaned_data["expires_on"]
        return datetime.combine(expires_on, time(), UTC) if expires_on else None

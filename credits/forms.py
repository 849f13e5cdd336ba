from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.core.exceptions import ValidationError

from credits.models import Action, ApiKey


class ApiKeyForm(forms.ModelForm[ApiKey]):
    """What an owner says about a new API key; `today` is the day it is in UTC."""

    expires_on = forms.DateField(
        label="Expires on (optional)",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The key stops working at 00:00 UTC of this day.",
    )
    allowed_actions = forms.ModelMultipleChoiceField(
        Action.objects.filter(is_active=True),
        label="Restrict to actions (optional)",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick none to allow all of them, also those added later.",
    )

    class Meta:
        model = ApiKey
        fields = ("name",)
        help_texts = {"name": "Where the key is used, such as “Production CMS”."}

    def __init__(self, *args: object, today: date, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
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

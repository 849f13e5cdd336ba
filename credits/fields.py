"""Fields of forms."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from credits import origins
from credits.models.access import MAX_KEY_ORIGINS


class OriginsField(forms.Field):
    """Web origins, one a line; the clean value is a list of them in their normal form."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", self.widget(attrs={"rows": 3, "spellcheck": "false"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        lines = value if isinstance(value, list) else (value or "").split()
        found = sorted({origins.normalize(line) for line in lines})
        if len(found) > MAX_KEY_ORIGINS:
            raise ValidationError(
                _("A key allows %(most)s origins at most."), params={"most": MAX_KEY_ORIGINS}
            )
        return found

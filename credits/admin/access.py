"""API keys: made here, shown once, revoked and never deleted."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from credits import access
from credits.admin.base import ModelAdmin, key_status, link
from credits.fields import OriginsField
from credits.models import ApiKey

OWNER = ("organization", "service")
CHANGEABLE = ("name", "allowed_actions", "allowed_origins")


class ApiKeyForm(ModelForm):  # type: ignore[type-arg]
    allowed_origins = OriginsField(
        label="Allowed origins",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Pages of these may use browser tokens made with the key. One on each line, such "
        "as https://shop.example.",
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        owners = [owner for owner in OWNER if self.cleaned_data.get(owner)]
        if set(OWNER) <= set(self.fields) and len(owners) != 1:
            raise ValidationError("Choose either an organization or a service for the key.")
        return cleaned

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if "expires_at" not in self.changed_data:
            return expires_at
        if hasattr(self.instance, "replaced_by"):
            # It may have been rotated since this form was opened.
            raise ValidationError("This key was rotated, and its end stays as it is.")
        if expires_at and expires_at <= timezone.now():
            raise ValidationError("This moment has passed; to stop a key now, revoke it.")
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    form = ApiKeyForm
    list_display = ("name", "prefix", "owner", "status", "expires_at", "last_used_at")
    list_filter = (
        ("revoked_at", admin.EmptyFieldListFilter),
        ("organization", AutocompleteSelectFilter),
        "service",
    )
    list_select_related = ("organization", "service")
    found_by = ("prefix__startswith", "organization")
    search_help_text = "Start of the key, organization or its public id"
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("name", *OWNER, *CHANGEABLE[1:], "expires_at")
    autocomplete_fields = ("organization", "service", "allowed_actions")
    told = ("prefix", "replaces", "revoked_at", "last_used_at", "created_by", "created_at")
    actions_detail = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (*self.fields, *self.told) if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (*OWNER, *self.told) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: its spends name it. A key that is done is revoked."""
        return False

    @admin.display(description="organization or service")
    def owner(self, key: ApiKey) -> str:
        return link(key.organization or key.service)

    @admin.display(description="status")
    def status(self, key: ApiKey) -> str:
        return key_status(key, timezone.now())

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With one way to save: each ends on the page that shows the secret."""
        one_way = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **one_way})

    def save_model(
        self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool
    ) -> None:
        if change:
            key = ApiKey.objects.get(pk=obj.pk)
            asked = {name: form.cleaned_data[name] for name in CHANGEABLE}
            access.change_key(key, **asked, **_by(request))
            if "expires_at" in form.changed_data:
                access.change_expiry(key, form.cleaned_data["expires_at"], **_by(request))
            return
        asked = {**form.cleaned_data, "created_by": request.user}
        key, secret = access.create_key(**asked)
        obj.pk = key.pk
        obj.refresh_from_db()
        obj.secret = secret

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret in this one answer: it is in no address, session or table."""
        title = f"The key “{obj.name}” is made"
        return self.page(
            request, "admin/credits/apikey/secret.html", obj, title=title, secret=obj.secret
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        working = self.with_id(object_id).filter(revoked_at=None)
        return super().get_actions_detail(request, object_id) if working.exists() else []

    @action(description="Revoke", icon="key_off", permissions=["change"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            key,
            title=f"Revoke {key}?",
            text="Requests with it are refused from then on, and it cannot be brought back.",
            button="Revoke",
        )
        return question or self._revoke(request, key)

    def _revoke(self, request: HttpRequest, key: ApiKey) -> HttpResponse:
        access.revoke_key(key, **_by(request))
        return self.done(request, key, "Revoked")


def _by(request: Any) -> dict[str, Any]:
    return {"by": request.user, "now": timezone.now()}

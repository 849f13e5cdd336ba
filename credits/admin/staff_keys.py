"""Staff keys: each member of staff makes their own, is shown it once, and revokes it."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm, SplitDateTimeField, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from credits import staff_keys
from credits.admin.base import ModelAdmin, StaffRequest, key_status
from credits.models import StaffKey

PROPOSED_LIFETIME = timedelta(days=90)


def _proposed_end() -> Any:
    return (timezone.now() + PROPOSED_LIFETIME).replace(minute=0, second=0, microsecond=0)


class StaffKeyForm(ModelForm):  # type: ignore[type-arg]
    expires_at = SplitDateTimeField(
        label="Expires at",
        initial=_proposed_end,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=f"UTC, {staff_keys.MAX_LIFETIME.days} days from now at the latest.",
    )

    def clean_expires_at(self) -> Any:
        expires_at, now = self.cleaned_data["expires_at"], timezone.now()
        if expires_at <= now:
            raise ValidationError("This moment has passed; choose one to come.")
        if expires_at > now + staff_keys.MAX_LIFETIME:
            raise ValidationError(f"A staff key ends within {staff_keys.MAX_LIFETIME.days} days.")
        return expires_at


@admin.register(StaffKey)
class StaffKeyAdmin(ModelAdmin):
    """Nobody makes a key in another's name; who may change keys sees and revokes all of them."""

    form = StaffKeyForm
    list_display = ("name", "prefix", "user", "status", "expires_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__email")
    search_help_text = "Name, start of the key or whose it is"
    fields = ("name", "expires_at")
    told = ("prefix", "user", "revoked_at", "last_used_at", "created_at")
    actions_detail = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (*self.fields, *self.told) if obj else self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffKey]:
        keys = super().get_queryset(request)
        return keys if _may_see_all(request) else keys.filter(user=request.user)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: a key that should be different is revoked, and another one made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: the log of staff names it. A key that is done is revoked."""
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whoever sees a key here: it is theirs, or they may change all."""
        return self.has_view_permission(request)

    @admin.display(description="status")
    def status(self, key: StaffKey) -> str:
        return key_status(key, timezone.now())

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With one way to save: it ends on the page that shows the secret."""
        one_way = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **one_way})

    def save_model(self, request: Any, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        key, secret = staff_keys.create_key(request.user, **form.cleaned_data, now=timezone.now())
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

    @action(description="Revoke", icon="key_off", permissions=["revoke"])
    def revoke(self, request: StaffRequest, object_id: str) -> HttpResponse:
        key = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            key,
            title=f"Revoke {key}?",
            text="Requests with it are refused from then on, and it cannot be brought back.",
            button="Revoke",
        )
        return question or self._revoke(request, key)

    def _revoke(self, request: StaffRequest, key: StaffKey) -> HttpResponse:
        staff_keys.revoke_key(key, now=timezone.now())
        return self.done(request, key, "Revoked")


def _may_see_all(request: Any) -> bool:
    return bool(request.user.has_perm("credits.change_staffkey"))

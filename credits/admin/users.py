"""Users known by their email address, and the staff groups."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from credits import second_factors
from credits.admin import searching, sign_ins
from credits.admin.base import ModelAdmin, StaffRequest, change_url
from credits.admin.people import ChangesMemberships, MembershipsInline
from credits.models import User


class LowerCaseEmail:
    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]  # type: ignore[attr-defined]
        return email.lower()


class AddUserForm(LowerCaseEmail, UserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


class ChangeUserForm(LowerCaseEmail, UserChangeForm):
    pass


class SecondFactorFilter(SimpleListFilter):
    """Who would be led to set up a second factor at the next visit, among others."""

    title = "second factor"
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Set up"), ("no", "None")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        owned = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
        found = {"yes": Exists(owned), "no": ~Exists(owned)}.get(self.value() or "")
        return queryset if found is None else queryset.filter(found)


class OrganizationInline(MembershipsInline):
    verbose_name = "organization"
    verbose_name_plural = "organizations"
    autocomplete_fields = ("organization",)
    fields = ("organization", "role")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ChangesMemberships):  # type: ignore[misc, type-arg]
    form = ChangeUserForm
    add_form = AddUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", SecondFactorFilter, "groups")
    search_fields = found_by = ("email", "first_name", "last_name")
    search_help_text = "Email address or name"
    not_found = "Nothing found. Names and addresses are found by the beginnings of their words."
    ordering = ("email",)
    sortable_by = ("email",)
    autocomplete_fields = ("groups",)
    filter_horizontal = ()
    readonly_fields = ("second_factor", "last_login", "date_joined")
    actions_detail = ("reset_second_factor",)
    change_form_outer_after_template = "admin/credits/user/sign_ins.html"
    inlines = (OrganizationInline,)
    fieldsets = (
        (None, {"fields": ("email", "password", "second_factor", "first_name", "last_name")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "groups", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def found(self, queryset: QuerySet[User], term: str) -> tuple[QuerySet[User], bool]:
        return searching.first_of(queryset, searching.users(term))

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> Any:
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Only superusers make superusers."""
        extra = () if request.user.is_superuser else ("is_superuser",)
        return (*self.readonly_fields, *extra)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        beyond = isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser
        return not beyond and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: the ledger names its people. Someone who left is made inactive."""
        return False

    def has_reset_second_factor_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.reset_second_factor")

    @admin.display(description="second factor")
    def second_factor(self, user: User) -> str:
        app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
        return f"Authenticator app, since {app.created_at:%Y-%m-%d}" if app else "None"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        user = self.get_object(request, object_id)
        may_see = request.user.has_perm("credits.view_signin")
        log = sign_ins.last_of(user) if user and may_see else None
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "sign_ins": log}
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """What is allowed, and makes sense: a second factor is taken away where there is one."""
        actions = super().get_actions_detail(request, object_id)
        has_one = Authenticator.objects.filter(user__in=self.with_id(object_id)).exists()
        return actions if has_one and str(request.user.pk) != str(object_id) else []

    @action(
        description="Remove second factor",
        icon="phonelink_erase",
        permissions=["reset_second_factor"],
        variant=ActionVariant.DANGER,
    )
    def reset_second_factor(self, request: StaffRequest, object_id: str) -> HttpResponse:
        user = self.object_or_404(request, object_id)
        # Their own they turn off where their code is asked for.
        if user == request.user or (user.is_superuser and not request.user.is_superuser):
            raise PermissionDenied
        question = self.confirmation(
            request,
            user,
            title=f"Remove the second factor of {user}?",
            text="Their authenticator app and recovery codes stop working, and they are told by "
            "email. Until they set up a new one their password alone signs them in, so be sure "
            "that it is they who ask. Their staff keys go on working; revoke those that are lost.",
            button="Remove second factor",
        )
        return question or self._take_away(request, user)

    def _take_away(self, request: StaffRequest, user: User) -> HttpResponse:
        if not second_factors.take_away(user, now=timezone.now()):
            messages.info(request, f"{user} has no second factor.")
            return HttpResponseRedirect(change_url(user))
        self.log_change(request, user, "Removed the second factor.")
        messages.success(request, f"Removed the second factor of {user}.")
        return HttpResponseRedirect(change_url(user))

    def save_model(
        self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            # A former address must not sign in or reset the password any more.
            EmailAddress.objects.filter(user=obj).exclude(email=obj.email).delete()


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


# Whoever could add an address here could have a superuser's password reset sent to it.
admin.site.unregister(EmailAddress)
# Its page would show the secrets.
admin.site.unregister(Authenticator)

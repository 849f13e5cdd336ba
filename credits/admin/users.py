"""Users known by their email address, and the staff groups."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from credits.admin import searching
from credits.admin.base import ModelAdmin
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
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_fields = found_by = ("email", "first_name", "last_name")
    search_help_text = "Email address or name"
    not_found = "Nothing found. Names and addresses are found by the beginnings of their words."
    ordering = ("email",)
    sortable_by = ("email",)
    autocomplete_fields = ("groups",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    inlines = (OrganizationInline,)
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name")}),
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

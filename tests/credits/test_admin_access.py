"""API keys, users, groups and rights in the admin."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from credits.access import create_key, revoke_key, rotate_key
from credits.models import Action, ApiKey, Membership, Organization, Service, User

pytestmark = pytest.mark.django_db

KEY = "/admin/credits/apikey/"
USER = "/admin/credits/user/"
NO_EXPIRY = {"expires_at_0": "", "expires_at_1": ""}


def works(secret: str) -> bool:
    headers = {"Authorization": f"Bearer {secret}"}
    return Client().get("/api/v1/actions", headers=headers).status_code == 200


# --- API keys ---------------------------------------------------------------------------------


def test_a_new_key_is_shown_once_and_works(admin, organization):
    action = Action.objects.get(code="alt-text.generate")
    form = {"name": "CMS", "organization": organization.pk, "allowed_actions": [action.pk]}
    response = admin.post(f"{KEY}add/", {**form, **NO_EXPIRY})
    secret = response.context["secret"]
    key = ApiKey.objects.get()
    assert works(secret)
    assert (key.organization, key.created_by) == (organization, admin.user)
    assert list(key.allowed_actions.all()) == [action]
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert secret not in admin.get(f"{KEY}{key.pk}/change/").content.decode()


@pytest.mark.parametrize("owners", [(), ("organization", "service")])
def test_a_key_belongs_to_either_an_organization_or_a_service(admin, organization, owners):
    ids = {"organization": organization.pk, "service": Service.objects.first().pk}
    form = {"name": "CMS", **NO_EXPIRY, **{owner: ids[owner] for owner in owners}}
    response = admin.post(f"{KEY}add/", form)
    assert "either an organization or a service" in response.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_cannot_begin_expired(admin, organization):
    form = {"name": "CMS", "organization": organization.pk}
    expired = {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}
    response = admin.post(f"{KEY}add/", {**form, **expired})
    assert "This moment has passed" in response.content.decode()
    assert not ApiKey.objects.exists()


def test_changing_a_key_keeps_its_secret_owner_and_revocation(admin, organization):
    key, secret = create_key(name="CMS", organization=organization)
    other = Organization.objects.create(name="Zenith")
    revoke_key(key, now=timezone.now())
    form = {"name": "Shop", "organization": other.pk, "secret_sha256": "x", "revoked_at_0": ""}
    admin.post(f"{KEY}{key.pk}/change/", {**form, **NO_EXPIRY})
    changed = ApiKey.objects.get()
    assert (changed.name, changed.organization) == ("Shop", organization)
    assert changed.secret_sha256 == key.secret_sha256
    assert changed.revoked_at is not None
    assert not works(secret)


def test_a_form_that_was_open_while_a_key_was_rotated_does_not_revive_it(admin, organization):
    key, secret = create_key(name="CMS", organization=organization)
    rotate_key(key, grace=timedelta(0), by=None, now=timezone.now())
    response = admin.post(f"{KEY}{key.pk}/change/", {"name": "Shop", **NO_EXPIRY})
    assert "This key was rotated" in response.text
    assert not works(secret)


def test_an_expired_key_can_still_be_renamed(admin, organization):
    key, _ = create_key(
        name="CMS", organization=organization, expires_at=timezone.now() - timedelta(days=1)
    )
    at = {
        "expires_at_0": f"{key.expires_at:%Y-%m-%d}",
        "expires_at_1": f"{key.expires_at:%H:%M:%S}",
    }
    admin.post(f"{KEY}{key.pk}/change/", {"name": "Old CMS", **at})
    assert ApiKey.objects.get().name == "Old CMS"


def test_revoking_asks_first_then_stops_the_key_and_is_logged(admin, organization):
    key, secret = create_key(name="CMS", organization=organization)
    url = f"{KEY}{key.pk}/revoke/"
    assert "Revoke CMS" in admin.get(url).content.decode()
    assert works(secret)
    response = admin.post(url, follow=True)
    assert not works(secret)
    assert LogEntry.objects.get().get_change_message() == "Revoked."
    assert f"{key.pk}/revoke/" not in response.content.decode()


def test_a_key_is_never_deleted(admin, organization):
    key, _ = create_key(name="CMS", organization=organization)
    assert admin.post(f"{KEY}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.filter(pk=key.pk).exists()


# --- Users ------------------------------------------------------------------------------------


def user_form(user: User, **changes):
    form = {
        "email": user.email,
        "is_active": "on",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    return {**form, **changes}


def test_a_user_is_added_by_email_and_signs_in(admin):
    passwords = {"password1": "correct-horse-9", "password2": "correct-horse-9"}
    form = {"email": "Nina@Acme.test", "usable_password": "true", **passwords}
    admin.post(f"{USER}add/", form)
    user = User.objects.get(email="nina@acme.test")
    assert not user.is_staff
    assert Client().login(email="nina@acme.test", password="correct-horse-9")


def test_two_users_never_share_an_address_whatever_its_case(admin):
    User.objects.create_user("nina@acme.test")
    form = {"email": "NINA@acme.test", "usable_password": "false"}
    assert admin.post(f"{USER}add/", form).context["errors"]
    assert User.objects.filter(email__iexact="nina@acme.test").count() == 1


def test_staff_set_a_new_password(admin):
    user = User.objects.create_user("nina@acme.test", "old-password-1")
    form = {"password1": "new-password-2", "password2": "new-password-2"}
    admin.post(f"{USER}{user.pk}/password/", {**form, "usable_password": "true"})
    assert Client().login(email="nina@acme.test", password="new-password-2")


def test_a_former_address_no_longer_belongs_to_the_user(admin):
    user = User.objects.create_user("old@acme.test")
    EmailAddress.objects.create(user=user, email="old@acme.test", primary=True, verified=True)
    admin.post(f"{USER}{user.pk}/change/", user_form(user, email="new@acme.test"))
    user.refresh_from_db()
    assert user.email == "new@acme.test"
    assert not EmailAddress.objects.filter(email="old@acme.test").exists()


def test_members_are_managed_on_the_page_of_the_user(admin, organization):
    user = User.objects.create_user("nina@acme.test")
    row = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-organization": organization.pk,
        "memberships-0-role": "owner",
    }
    admin.post(f"{USER}{user.pk}/change/", user_form(user, **row))
    assert Membership.objects.get().role == "owner"


def test_an_administrator_makes_nobody_a_superuser_and_touches_none(admin, sign_in):
    administrator = sign_in("administrators")
    me = administrator.user
    group = Group.objects.get(name="administrators")
    form = user_form(me, is_staff="on", groups=[group.pk], is_superuser="on", first_name="Ada")
    administrator.post(f"{USER}{me.pk}/change/", form)
    me.refresh_from_db()
    assert (me.first_name, me.is_superuser) == ("Ada", False)

    superuser = admin.user
    change = administrator.post(f"{USER}{superuser.pk}/change/", user_form(superuser))
    password = administrator.post(
        f"{USER}{superuser.pk}/password/",
        {"password1": "taken-over-1", "password2": "taken-over-1"},
    )
    assert (change.status_code, password.status_code) == (403, 403)


def test_a_user_is_never_deleted(admin):
    user = User.objects.create_user("nina@acme.test")
    assert admin.post(f"{USER}{user.pk}/delete/", {"post": "yes"}).status_code == 403


# --- Groups -----------------------------------------------------------------------------------

READ = ("organization", "entry", "spend", "grant", "action", "user")


@pytest.mark.parametrize("group", ["support", "finance", "administrators"])
def test_each_group_reads_what_customers_did(sign_in, organization, group):
    client = sign_in(group)
    pages = [f"/admin/credits/{model}/" for model in READ]
    pages += [f"/admin/topups/{model}/" for model in ("plan", "purchase", "stripeevent")]
    pages += ["/admin/"]
    pages += [f"/admin/credits/organization/{organization.pk}/change/"]
    assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)


@pytest.mark.parametrize(
    ("group", "allowed"),
    [
        ("support", {"adjust"}),
        ("finance", {"plan"}),
        ("administrators", {"adjust", "plan", "organization", "action", "key", "suspend", "group"}),
    ],
)
def test_each_group_writes_only_what_it_should(sign_in, organization, group, allowed):
    client = sign_in(group)
    pages = {
        "adjust": f"/admin/credits/organization/{organization.pk}/adjust/",
        "suspend": f"/admin/credits/organization/{organization.pk}/suspend/",
        "organization": "/admin/credits/organization/add/",
        "action": "/admin/credits/action/add/",
        "key": "/admin/credits/apikey/add/",
        "plan": "/admin/topups/plan/add/",
        "group": "/admin/auth/group/add/",
    }
    answers = {name: client.get(page).status_code for name, page in pages.items()}
    assert answers == {name: 200 if name in allowed else 403 for name in pages}


def test_customers_stay_outside(organization):
    customer = User.objects.create_user("nina@acme.test")
    client = Client()
    client.force_login(customer)
    assert client.get("/admin/credits/organization/").status_code == 302

"""What operators and administrators see of second factors, and the way back in from the shell."""

import pytest
from codes import SECRET, has_second_factor, set_up
from django.core.management import CommandError, call_command

from credits.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam() -> User:
    return User.objects.create_user("sam@example.com", is_staff=True)


def test_the_last_administrator_is_let_in_again_from_the_shell(sam, capsys):
    set_up(sam)
    call_command("reset_second_factor", "Sam@Example.com")
    assert "Removed" in capsys.readouterr().out
    assert not has_second_factor(sam)
    with pytest.raises(CommandError, match="has no second factor"):
        call_command("reset_second_factor", "sam@example.com")
    with pytest.raises(CommandError, match="Nobody signs in with"):
        call_command("reset_second_factor", "nobody@example.com")


def test_staff_without_one_are_found_in_the_list_of_users(admin, sam):
    without = admin.get("/admin/credits/user/", {"is_staff__exact": 1, "second_factor": "no"}).text
    assert "sam@example.com" in without
    set_up(sam)
    without = admin.get("/admin/credits/user/", {"is_staff__exact": 1, "second_factor": "no"}).text
    assert "sam@example.com" not in without
    assert "sam@example.com" in admin.get("/admin/credits/user/", {"second_factor": "yes"}).text


def test_the_secret_is_on_no_page_of_the_admin(admin, sam):
    set_up(sam)
    assert SECRET not in admin.get(f"/admin/credits/user/{sam.pk}/change/").text
    assert admin.get("/admin/mfa/authenticator/").status_code == 404

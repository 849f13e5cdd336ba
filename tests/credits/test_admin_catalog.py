"""Services, actions, prices and words in the admin."""

import pytest
from django.utils import timezone

from credits import ledger
from credits.models import Action, Service, Spend, Wording

pytestmark = pytest.mark.django_db

ACTION = "/admin/credits/action/"


def action_form(action: Action, **changes):
    form = {"service": action.service_id, "name": action.name, "credits": action.credits}
    return {**form, "is_active": "on", **changes}


@pytest.fixture
def alt_text() -> Action:
    return Action.objects.get(code="alt-text.generate")


def test_a_new_price_counts_from_the_next_spend(admin, organization, alt_text):
    before = ledger.spend(organization, alt_text.code, now=timezone.now())
    admin.post(f"{ACTION}{alt_text.pk}/change/", action_form(alt_text, credits="3"))
    after = ledger.spend(organization, alt_text.code, now=timezone.now())
    assert after.credits == 3
    assert Spend.objects.get(pk=before.id).credits == 1


def test_staff_add_an_action_whose_code_then_stays(admin, alt_text):
    service = Service.objects.get(name="Image alt text")
    new = {"service": service.pk, "code": "alt-text.translate", "name": "Translate", "credits": "2"}
    admin.post(f"{ACTION}add/", {**new, "is_active": "on"})
    action = Action.objects.get(code="alt-text.translate")
    admin.post(f"{ACTION}{action.pk}/change/", action_form(action, code="other.code", name="New"))
    action.refresh_from_db()
    assert (action.code, action.name, action.credits) == ("alt-text.translate", "New", 2)


@pytest.mark.parametrize("changes", [{"credits": "0"}, {"credits": "1000001"}, {"credits": "x"}])
def test_a_wrong_price_is_refused(admin, alt_text, changes):
    response = admin.post(f"{ACTION}{alt_text.pk}/change/", action_form(alt_text, **changes))
    assert response.context["errors"]
    alt_text.refresh_from_db()
    assert alt_text.credits == 1


def test_an_action_is_never_deleted_as_keys_and_spends_name_it(admin, alt_text):
    assert admin.post(f"{ACTION}{alt_text.pk}/delete/", {"post": "yes"}).status_code == 403
    admin.post(ACTION, {"action": "delete_selected", "_selected_action": alt_text.pk})
    admin.post(f"/admin/credits/service/{alt_text.service_id}/delete/", {"post": "yes"})
    assert Action.objects.filter(pk=alt_text.pk, service__isnull=False).exists()


def test_the_wording_is_one_row_with_a_form_of_its_own(admin):
    response = admin.get("/admin/credits/wording/", follow=True)
    assert response.redirect_chain == [("/admin/credits/wording/1/change/", 302)]
    assert admin.get("/admin/credits/wording/add/").status_code == 403
    assert admin.post("/admin/credits/wording/1/delete/", {"post": "yes"}).status_code == 403


def test_staff_change_the_words_and_wrong_placeholders_are_refused(admin):
    words = {
        "credits_name": "Sparks",
        "out_of_credits_message": "No {credits_name} left.",
        "next_refill_message": "More on {next_refill}.",
    }
    url = "/admin/credits/wording/1/change/"
    admin.post(url, words)
    assert Wording.objects.get().credits_name == "Sparks"
    for wrong in ("{balance}", "{", "{credits_name!r}", "{credits_name:>9}", "{next_refill.x}"):
        refused = admin.post(url, {**words, "out_of_credits_message": wrong})
        assert refused.context["errors"]
    assert Wording.objects.get().out_of_credits_message == "No {credits_name} left."

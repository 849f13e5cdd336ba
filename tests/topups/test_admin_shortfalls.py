"""Taking a shortfall from an organization's other credits: staff decide, and nobody else."""

from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from sold import give_back, sell, standing

from credits import ledger
from credits.models import Entry, Organization
from topups.models import Purchase

pytestmark = pytest.mark.django_db


def collect_url(purchase: Purchase) -> str:
    return f"/admin/topups/purchase/{purchase.pk}/collect/"


def page_of(purchase: Purchase) -> str:
    return f"/admin/topups/purchase/{purchase.pk}/change/"


def asked(credits: int | str = 200, **changes: str) -> dict[str, str]:
    form = {"credits": str(credits), "reason": "Agreed", "adjustment_id": str(uuid4())}
    return {**form, **changes}


def confirmed(credits: int | str = 200, **changes: str) -> dict[str, str]:
    return {**asked(credits, **changes), "confirmed": "yes"}


def available(purchase: Purchase) -> int:
    return ledger.balance(purchase.organization, now=timezone.now()).total


@pytest.fixture
def purchase(db) -> Purchase:
    """One that is short of 200 credits; its organization bought 500 others."""
    purchase = sell(used=500)
    sell(purchase.organization)
    give_back(purchase, 4_00)
    return purchase


def test_nothing_is_collected_unless_staff_do(purchase):
    sell(purchase.organization)
    assert available(purchase) == 1_000
    assert standing(purchase)["short"] == 200


def test_the_confirmation_says_what_happens_to_which_balance_and_nothing_happens_yet(
    admin, purchase
):
    form = admin.get(collect_url(purchase))
    assert form.context["form"]["credits"].value() == 200
    page = admin.post(collect_url(purchase), asked(150))
    assert list(page.context["consequences"])[:2] == [
        "150 credits are taken from the other credits of Acme, in burn-down order. "
        "It has 500 now and will have 350.",
        "The shortfall of this purchase goes from 200 to 50.",
    ]
    assert available(purchase) == 500
    assert not LogEntry.objects.exists()


def test_a_confirmed_collection_takes_the_credits_and_is_recorded(admin, purchase):
    response = admin.post(collect_url(purchase), confirmed(), follow=True)
    assert response.redirect_chain == [(page_of(purchase), 302)]
    assert "Took 200 credits. Acme now has 300." in response.text
    assert (available(purchase), standing(purchase)["short"]) == (300, 0)
    entry = Entry.objects.latest("id")
    assert (entry.credits, entry.actor, entry.reason) == (-200, admin.user, "Agreed")
    log = LogEntry.objects.get()
    assert (log.user, log.object_id) == (admin.user, str(purchase.pk))
    assert log.get_change_message() == "Took 200 credits of the shortfall: Agreed"
    assert "Shortfall:" not in admin.get(page_of(purchase)).text


def test_a_form_sent_twice_takes_once(admin, purchase):
    form = confirmed()
    admin.post(collect_url(purchase), form)
    again = admin.post(collect_url(purchase), form, follow=True)
    assert "nothing changed. Acme now has 300." in again.text
    assert available(purchase) == 300
    assert LogEntry.objects.count() == 1


def test_a_form_sent_again_with_other_values_is_not_said_to_be_done(admin, purchase):
    form = confirmed(100)
    admin.post(collect_url(purchase), form)
    again = admin.post(collect_url(purchase), {**form, "credits": "50"})
    assert "used before, for another adjustment" in again.text
    assert available(purchase) == 400


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"credits": ""}, "This field is required"),
        ({"credits": "0"}, "greater than or equal to 1"),
        ({"credits": "-5"}, "greater than or equal to 1"),
        ({"credits": "1.5"}, "Enter a whole number"),
        ({"credits": "9" * 30}, "less than or equal to"),
        ({"credits": "201"}, "At most 200 credits can be taken."),
        ({"reason": " "}, "This field is required"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"adjustment_id": "one"}, "lost its one-time id"),
    ],
)
@pytest.mark.parametrize("step", [asked, confirmed])
def test_a_wrong_form_is_explained_and_changes_nothing(admin, purchase, step, changes, told):
    response = admin.post(collect_url(purchase), step(**changes))
    assert response.status_code == 200
    assert told in response.text
    assert available(purchase) == 500
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("step", [asked, confirmed])
def test_an_organization_without_enough_credits_is_told(admin, step):
    purchase = sell(used=500)
    give_back(purchase, 4_00)
    response = admin.post(collect_url(purchase), step())
    assert "Acme has only 0 credits." in response.text
    assert standing(purchase)["short"] == 200


@pytest.mark.parametrize("used", [0, 300])
def test_a_purchase_without_shortfall_says_so(admin, used):
    purchase = sell(used=used)
    assert collect_url(purchase) not in admin.get(page_of(purchase)).text
    told = "This purchase has no shortfall"
    assert told in admin.get(collect_url(purchase), follow=True).text
    for step in (asked, confirmed):
        assert told in admin.post(collect_url(purchase), step(1)).text
    assert available(purchase) == 500 - used


def test_an_unpaid_purchase_has_none_either(admin, purchase):
    now = timezone.now()
    unpaid = Purchase.objects.create(
        id=uuid4(),
        organization=purchase.organization,
        buyer=purchase.buyer,
        plan=purchase.plan,
        credits=5,
        amount_minor=50,
        currency="usd",
        created_at=now,
        next_check_at=now,
    )
    for step in (asked, confirmed):
        assert "has no shortfall" in admin.post(collect_url(unpaid), step(1)).text
    assert available(purchase) == 500


@pytest.mark.parametrize(
    ("role", "may"), [("support", True), ("finance", False), ("administrators", True)]
)
def test_only_who_may_adjust_credits_sees_the_button_and_collects(sign_in, purchase, role, may):
    client = sign_in(role)
    assert (collect_url(purchase) in client.get(page_of(purchase)).text) is may
    assert client.get(collect_url(purchase)).status_code == (200 if may else 403)
    assert client.post(collect_url(purchase), confirmed()).status_code == (302 if may else 403)
    assert available(purchase) == (300 if may else 500)


def test_a_collection_leaves_other_organizations_alone(admin, purchase):
    other = sell(Organization.objects.create(name="Zenith", weekly_credits=0))
    admin.post(collect_url(purchase), confirmed())
    assert available(other) == 500

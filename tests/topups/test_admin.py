"""Plans, purchases and Stripe's events in the admin."""

import pytest
from django.utils import timezone

from credits import ledger
from credits.models import Grant, Organization
from topups.models import Plan, Purchase, StripeEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def purchase(admin) -> Purchase:
    plan, now = Plan.objects.first(), timezone.now()
    purchase = Purchase.objects.create(
        organization=Organization.objects.create(name="Acme"),
        buyer=admin.user,
        plan=plan,
        credits=plan.credits,
        amount_minor=plan.amount_minor,
        currency=plan.currency,
        status="paid",
        paid_at=now,
        stripe_session_id="cs_test_1",
        stripe_payment_intent_id="pi_1",
        created_at=now,
    )
    ledger.grant(
        purchase.organization,
        purchase.credits,
        kind=Grant.Kind.TOP_UP,
        purchase_id=purchase.pk,
        now=now,
    )
    return purchase


@pytest.fixture
def event() -> StripeEvent:
    return StripeEvent.objects.create(
        event_id="evt_1",
        type="checkout.session.completed",
        payload={"data": {"object": {"id": "cs_test_1"}}},
        status="failed",
        error="No such purchase.",
        received_at=timezone.now(),
        next_attempt_at=timezone.now(),
    )


@pytest.mark.parametrize("model", [Purchase, StripeEvent])
def test_a_superuser_reads_it_and_changes_nothing(admin, purchase, event, model):
    url = f"/admin/topups/{model._meta.model_name}/"
    before = list(model.objects.values())
    row = model.objects.get()
    forbidden = [
        admin.get(f"{url}add/"),
        admin.post(f"{url}add/", {}),
        admin.post(f"{url}{row.pk}/change/", {"status": "pending", "credits": "1"}),
        admin.post(f"{url}{row.pk}/delete/", {"post": "yes"}),
    ]
    assert {response.status_code for response in forbidden} == {403}
    admin.post(url, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert list(model.objects.values()) == before


def test_a_purchase_leads_to_its_organization_its_grant_and_stripes_ids(admin, purchase):
    page = admin.get(f"/admin/topups/purchase/{purchase.pk}/change/").content.decode()
    grant = Grant.objects.get(purchase_id=purchase.pk)
    assert f"/admin/credits/grant/{grant.pk}/change/" in page
    assert f"/admin/credits/organization/{purchase.organization_id}/change/" in page
    assert "cs_test_1" in page
    assert "pi_1" in page
    assert purchase.price in page


@pytest.mark.parametrize("query", ["Acme", "cs_test_1", "pi_1", "{id}", "superuser@credits.test"])
def test_a_purchase_is_found_by_organization_buyer_and_ids(admin, purchase, query):
    found = admin.get("/admin/topups/purchase/", {"q": query.format(id=purchase.pk)})
    assert list(found.context["cl"].result_list) == [purchase]


def test_an_event_shows_what_stripe_told_and_what_became_of_it(admin, event):
    page = admin.get(f"/admin/topups/stripeevent/{event.pk}/change/").content.decode()
    assert "cs_test_1" in page
    assert "No such purchase." in page
    found = admin.get("/admin/topups/stripeevent/", {"q": "evt_1", "status__exact": "failed"})
    assert found.context["cl"].result_count == 1


def test_a_changed_plan_leaves_its_purchases_alone(admin, purchase):
    plan = purchase.plan
    form = {
        "name": "Starter",
        "credits": "700",
        "amount_minor": "5900",
        "currency": "usd",
        "position": "1",
        "is_active": "on",
    }
    admin.post(f"/admin/topups/plan/{plan.pk}/change/", form)
    plan.refresh_from_db()
    purchase.refresh_from_db()
    assert (plan.credits, plan.amount_minor) == (700, 5900)
    assert purchase.credits != 700
    assert purchase.amount_minor != 5900


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount_minor": "0"}, "greater than or equal to 50"),
        ({"amount_minor": "1000.00"}, "Write minor units"),
        ({"amount_minor": "1,000"}, "Write minor units"),
        ({"currency": "US"}, "Write one of these: aed,"),
        ({"currency": "zzz"}, "Write one of these: aed,"),
        ({"credits": "0"}, "greater than or equal to 1"),
        ({"credits": "x"}, "Enter a whole number"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_reason(admin, changes, told):
    form = {"name": "Odd", "credits": "5", "amount_minor": "50", "currency": "usd", "position": "1"}
    response = admin.post("/admin/topups/plan/add/", {**form, **changes})
    (errors,) = response.context["errors"]
    assert told in str(errors)
    assert not Plan.objects.filter(name="Odd").exists()


def test_plans_are_listed_with_their_price_as_money(admin):
    assert "$150.00" in admin.get("/admin/topups/plan/").text


def test_a_plan_goes_only_while_nobody_bought_it(admin, purchase):
    unsold = Plan.objects.exclude(pk=purchase.plan_id).first()
    admin.post(f"/admin/topups/plan/{unsold.pk}/delete/", {"post": "yes"})
    sold = admin.post(f"/admin/topups/plan/{purchase.plan_id}/delete/", {"post": "yes"})
    assert sold.status_code == 403
    assert not Plan.objects.filter(pk=unsold.pk).exists()
    assert Plan.objects.filter(pk=purchase.plan_id).exists()

"""Stripe's events, reconciliations and emails in the admin, and asking Stripe by hand."""

import pytest
from buying import event_about
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from sold import sell
from world import World

from credits.models import Email
from topups.models import Purchase, Reconciliation, StripeEvent
from topups.sandbox.models import Session

LIST = "/admin/topups/stripeevent/"


def make_event(payload: dict | None = None, **fields) -> StripeEvent:
    payload = payload or event_about("nobody", payment_status="unpaid")
    values = {
        "event_id": payload["id"],
        "type": payload["type"],
        "payload": payload,
        "status": "failed",
        "error": "UnknownPurchase: There is no such purchase.",
        "attempts": 2,
        "received_at": timezone.now(),
        "next_attempt_at": timezone.now(),
    }
    return StripeEvent.objects.create(**{**values, **fields})


def done_event(status: str) -> StripeEvent:
    return make_event(status=status, next_attempt_at=None, error="")


def rejected_event() -> StripeEvent:
    return StripeEvent.objects.create(
        status="rejected", error="Wrong signature.", received_at=timezone.now()
    )


def poison() -> StripeEvent:
    """An event that fails however often it is handled."""
    return make_event(event_about("00000000-0000-0000-0000-000000000000"))


def page_of(event: StripeEvent) -> str:
    return f"{LIST}{event.pk}/change/"


def retry_url(event: StripeEvent) -> str:
    return f"{LIST}{event.pk}/retry/"


# --- Events -----------------------------------------------------------------------------------


def test_an_event_shows_what_stripe_told_and_what_became_of_it(admin):
    event = make_event()
    page = admin.get(page_of(event)).text
    for told in ("cs_test_known", "UnknownPurchase: There is no such purchase.", "Failed"):
        assert told in page
    assert "UnknownPurchase" in admin.get(LIST).text
    for query in (event.event_id, event.type):
        found = admin.get(LIST, {"q": query, "status__exact": "failed"})
        assert found.context["cl"].result_count == 1


def test_the_list_offers_a_retry_of_what_is_unfinished_to_who_may(admin, sign_in):
    event, done = make_event(), done_event("processed")
    page = admin.get(LIST).text
    assert retry_url(event) in page
    assert retry_url(done) not in page
    assert retry_url(event) in sign_in("finance").get(LIST).text
    assert retry_url(event) not in sign_in("support").get(LIST).text


@pytest.fixture
def paid_unheard(db, deliver) -> Purchase:
    """A pending purchase, and the failed event that it is paid."""
    purchase = unpaid()
    session = f"cs_test_{purchase.pk.hex}"
    make_event(event_about(purchase.pk, id=session))
    return purchase


def unpaid(**fields) -> Purchase:
    now, sold = timezone.now(), sell()
    purchase = Purchase.objects.create(
        organization=sold.organization,
        buyer=sold.buyer,
        plan=sold.plan,
        credits=500,
        amount_minor=10_00,
        currency="usd",
        created_at=now,
        next_check_at=now,
        **fields,
    )
    purchase.refresh_from_db()
    return purchase


def test_a_retry_asks_first_and_then_handles_the_event(sign_in, paid_unheard):
    finance, event = sign_in("finance"), StripeEvent.objects.get()
    assert retry_url(event) in finance.get(page_of(event)).text
    assert "it counts once" in finance.get(retry_url(event)).text
    event.refresh_from_db()
    assert event.status == "failed"

    response = finance.post(retry_url(event), follow=True)
    assert "Done: the event is processed." in response.text
    paid_unheard.refresh_from_db()
    assert paid_unheard.is_paid
    assert LogEntry.objects.get().get_change_message() == "Retried: processed."
    assert "Nothing to retry" in finance.post(retry_url(event), follow=True).text
    assert LogEntry.objects.count() == 1


def test_a_retry_that_fails_again_says_why(admin):
    event = poison()
    response = admin.post(retry_url(event), follow=True)
    assert "It failed again" in response.text
    event.refresh_from_db()
    assert (event.status, event.attempts) == ("failed", 3)
    assert event.error in response.text


@pytest.mark.parametrize("status", ["processed", "ignored", "rejected"])
def test_an_event_that_is_done_is_not_retried(admin, status):
    event = rejected_event() if status == "rejected" else done_event(status)
    assert retry_url(event) not in admin.get(page_of(event)).text
    assert "Nothing to retry" in admin.post(retry_url(event), follow=True).text
    event.refresh_from_db()
    assert event.status == status


def test_the_unfinished_of_the_selected_events_are_retried_each_by_itself(admin, paid_unheard):
    good, bad, done = StripeEvent.objects.get(), poison(), done_event("ignored")
    other = poison()
    selected = [good.pk, bad.pk, done.pk, rejected_event().pk]
    form = {"action": "retry_selected", "_selected_action": selected}
    response = admin.post(LIST, form, follow=True)
    assert "Retried 2 unfinished of the selected events: 1 done, 1 failed again" in response.text
    attempts = {event.pk: event.attempts for event in StripeEvent.objects.all()}
    assert (attempts[good.pk], attempts[bad.pk], attempts[other.pk]) == (3, 3, 2)
    paid_unheard.refresh_from_db()
    assert paid_unheard.is_paid
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("role", "may"), [("support", False), ("finance", True), ("administrators", True)]
)
def test_only_who_has_the_permission_retries(sign_in, role, may):
    client, event = sign_in(role), poison()
    assert (retry_url(event) in client.get(page_of(event)).text) is may
    assert ("retry_selected" in client.get(LIST).text) is may
    assert client.get(retry_url(event)).status_code == (200 if may else 403)
    client.post(retry_url(event))
    client.post(LIST, {"action": "retry_selected", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert event.attempts == (4 if may else 2)


# --- Asking Stripe ----------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["support", "finance", "administrators"])
def test_staff_check_an_undecided_purchase_with_stripe(site, sign_in, role):
    world, client = World(), sign_in(role)
    url = f"/admin/topups/purchase/{world.purchase.pk}/check_now/"
    page = f"/admin/topups/purchase/{world.purchase.pk}/change/"
    assert "Asked Stripe: this purchase is pending." in client.post(url, follow=True).text
    world.pay()
    assert url in client.get(page).text
    assert "nothing is charged" in client.get(url).text
    assert "Asked Stripe: this purchase is paid." in client.post(url, follow=True).text
    world.purchase.refresh_from_db()
    assert world.purchase.is_paid
    assert url not in client.get(page).text
    assert "Checked with Stripe: paid." in client.get(page).text


def test_while_stripe_is_down_a_check_says_so(admin, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    purchase = unpaid(stripe_session_id="cs_test_unheard")
    url = f"/admin/topups/purchase/{purchase.pk}/check_now/"
    assert "Stripe cannot be reached just now" in admin.post(url, follow=True).text
    assert not LogEntry.objects.exists()


def test_what_does_not_fit_is_told(admin, site):
    world = World()
    Session.objects.update(metadata={})
    url = f"/admin/topups/purchase/{world.purchase.pk}/check_now/"
    told = admin.post(url, follow=True).text
    assert "What Stripe says does not fit this purchase: " in told
    assert world.session.pk in told


# --- Reconciliations and emails ---------------------------------------------------------------


def test_a_reconciliation_tells_what_it_repaired_and_what_failed(admin):
    now = timezone.now()
    run = Reconciliation.objects.create(
        since=now,
        started_at=now,
        seen=7,
        repaired=["cs_1 is paid", "re_1 is succeeded"],
        failures=["Broke off: <Stripe> is down"],
    )
    page = admin.get(f"/admin/topups/reconciliation/{run.pk}/change/").text
    for told in ("cs_1 is paid", "re_1 is succeeded", "&lt;Stripe&gt; is down", "Broke off"):
        assert told in page
    assert "Broke off" in admin.get("/admin/topups/reconciliation/").text
    assert admin.post(f"/admin/topups/reconciliation/{run.pk}/change/", {}).status_code == 403


def test_emails_tell_whether_they_went_out(sign_in):
    now = timezone.now()
    values = {"to": "a@example.com", "template": "receipt", "created_at": now}
    Email.objects.create(key="1", **values, sent_at=now)
    failing = Email.objects.create(
        key="2", **values, next_attempt_at=now, attempts=3, error="No route <home>"
    )
    support = sign_in("support")
    page = support.get("/admin/credits/email/", {"q": "a@example.com"}).text
    for told in ("Sent", "Failing", "No route &lt;home&gt;"):
        assert told in page
    url = f"/admin/credits/email/{failing.pk}/change/"
    assert support.get(url).status_code == 200
    assert support.post(url, {"to": "b@example.com"}).status_code == 403

"""Events are believed only when signed, recorded once, and handled until done."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from buying import bought_credits, event_about, make_purchase, signed
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from credits import ledger
from credits.models import Email, Grant
from topups import tasks
from topups.models import Purchase, StripeEvent


def test_a_paid_session_gives_its_credits(pending, deliver):
    assert deliver(event_about(pending.pk)) == 200
    assert bought_credits(pending.organization) == [500]
    pending.refresh_from_db()
    assert pending.status == Purchase.Status.PAID
    assert pending.stripe_payment_intent_id == "pi_1"
    event = StripeEvent.objects.get()
    assert (event.status, event.attempts, event.error) == ("processed", 1, "")


def test_the_same_event_again_is_done_already(pending, deliver):
    event = event_about(pending.pk)
    assert [deliver(event) for _ in range(3)] == [200, 200, 200]
    assert bought_credits(pending.organization) == [500]
    assert StripeEvent.objects.get().attempts == 1


def test_another_event_about_a_paid_session_gives_nothing_more(pending, deliver):
    assert deliver(event_about(pending.pk)) == 200
    assert deliver(event_about(pending.pk)) == 200
    succeeded = "checkout.session.async_payment_succeeded"
    assert deliver(event_about(pending.pk, type=succeeded)) == 200
    assert bought_credits(pending.organization) == [500]


def test_a_session_completed_before_the_money_gives_nothing_until_it_comes(pending, deliver):
    assert deliver(event_about(pending.pk, payment_status="unpaid")) == 200
    assert bought_credits(pending.organization) == []
    succeeded = "checkout.session.async_payment_succeeded"
    assert deliver(event_about(pending.pk, type=succeeded)) == 200
    assert bought_credits(pending.organization) == [500]


def test_an_expired_session_ends_the_purchase(pending, deliver):
    gone = {"type": "checkout.session.expired", "status": "expired", "payment_status": "unpaid"}
    assert deliver(event_about(pending.pk, **gone)) == 200
    pending.refresh_from_db()
    assert pending.status == Purchase.Status.EXPIRED
    assert bought_credits(pending.organization) == []


def test_an_expired_event_that_comes_late_takes_nothing_back(pending, deliver):
    gone = {"type": "checkout.session.expired", "status": "expired", "payment_status": "unpaid"}
    assert deliver(event_about(pending.pk)) == 200
    assert deliver(event_about(pending.pk, **gone)) == 200
    pending.refresh_from_db()
    assert pending.status == Purchase.Status.PAID


def test_a_payment_for_a_purchase_given_up_is_honored(pending, deliver):
    Purchase.objects.update(status=Purchase.Status.EXPIRED, next_check_at=None)
    assert deliver(event_about(pending.pk)) == 200
    assert bought_credits(pending.organization) == [500]


def test_a_webhook_quicker_than_our_own_commit_finds_the_session(customer, plan, deliver):
    purchase = make_purchase(customer, plan, stripe_session_id=None)
    assert deliver(event_about(purchase.pk)) == 200
    purchase.refresh_from_db()
    assert purchase.stripe_session_id == "cs_test_known"
    assert bought_credits(customer.organization) == [500]


def test_an_event_before_its_purchase_is_retried_and_granted_once(customer, plan, deliver):
    purchase_id = uuid4()
    event = event_about(purchase_id)
    assert deliver(event) == 500
    kept = StripeEvent.objects.get()
    assert kept.status == StripeEvent.Status.FAILED
    assert str(purchase_id) in kept.error
    make_purchase(customer, plan, id=purchase_id)
    assert deliver(event) == 200
    assert deliver(event) == 200
    assert bought_credits(customer.organization) == [500]
    kept.refresh_from_db()
    assert (kept.status, kept.attempts, kept.error) == ("processed", 2, "")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount_subtotal": 9_99}, "999 usd"),
        ({"amount_subtotal": 0}, "0 usd"),
        ({"amount_subtotal": None}, "None"),
        ({"amount_total": None}, "None"),
        ({"currency": "jpy"}, "1000 jpy"),
        ({"id": "cs_test_other"}, "cs_test_other"),
    ],
)
def test_what_does_not_fit_the_purchase_is_refused_and_kept(pending, deliver, changes, named):
    assert deliver(event_about(pending.pk, **changes)) == 500
    assert bought_credits(pending.organization) == []
    pending.refresh_from_db()
    assert pending.status == Purchase.Status.PENDING
    event = StripeEvent.objects.get()
    assert event.status == StripeEvent.Status.FAILED
    assert named in event.error


@pytest.mark.parametrize(
    "event",
    [
        {"id": "evt_1", "object": "event", "type": "customer.created", "data": {"object": {}}},
        event_about(uuid4(), metadata={}),
        event_about("not-a-purchase"),
    ],
    ids=["another type", "not our session", "not our id"],
)
def test_what_is_none_of_our_business_is_ignored(pending, deliver, event):
    assert deliver(event) == 200
    assert StripeEvent.objects.get().status == StripeEvent.Status.IGNORED
    assert bought_credits(pending.organization) == []


def test_a_wrong_signature_is_refused_and_noted_without_its_content(pending, deliver):
    forged = event_about(pending.pk)
    assert deliver(forged, secret="whsec_wrong") == 400
    noted = StripeEvent.objects.get()
    assert noted.status == StripeEvent.Status.REJECTED
    assert (noted.event_id, noted.payload, noted.type) == (None, None, "")
    assert "signature" in noted.error
    assert bought_credits(pending.organization) == []
    # The forger did not take the id of the real event.
    assert deliver(forged) == 200
    assert bought_credits(pending.organization) == [500]


def test_an_old_signature_is_refused_and_noted(pending, deliver):
    event = event_about(pending.pk)
    assert deliver(event, at=datetime.now(UTC) - timedelta(seconds=310)) == 400
    assert "old" in StripeEvent.objects.get(status="rejected").error
    assert bought_credits(pending.organization) == []
    assert deliver(event, at=datetime.now(UTC) - timedelta(seconds=250)) == 200


def test_forgeries_cannot_fill_the_disk(db, deliver, monkeypatch):
    minute = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    for seconds in (1, 2, 59, 61):
        moment = minute + timedelta(seconds=seconds)
        monkeypatch.setattr("django.utils.timezone.now", lambda moment=moment: moment)
        assert deliver({"id": f"evt_{seconds}"}, secret="whsec_wrong") == 400
    assert StripeEvent.objects.count() == 2


@pytest.mark.parametrize(
    "header",
    ["", "t=1", "v1=ab", "t=now,v1=ab", "t=1,v1=é", "t=1,v1=ab", ",,,", "t=9999999999999999,v1="],
)
def test_odd_signatures_are_refused(db, client, header):
    response = client.post(
        "/stripe/webhook/",
        "{}",
        content_type="application/json",
        headers={"Stripe-Signature": header},
    )
    assert response.status_code == 400


@pytest.mark.parametrize("body", ["", "[]", "{", "null", '{"id": "evt_1"}', '"evt"'])
def test_a_signed_body_that_is_no_event_is_refused(db, deliver, body):
    assert deliver(body) == 400
    assert StripeEvent.objects.get().status == StripeEvent.Status.REJECTED


@pytest.mark.parametrize(
    "odd", [{"id": "evt_\0"}, {"id": "e" * 300}, {"type": "t" * 300}, {"note": "a\0b"}, {"id": 7}]
)
def test_a_signed_event_that_cannot_be_kept_is_refused(db, deliver, odd):
    assert deliver({**event_about(uuid4()), **odd}) == 400
    assert StripeEvent.objects.get().status == StripeEvent.Status.REJECTED


def test_a_body_that_is_not_text_is_refused(db, client):
    response = client.post(
        "/stripe/webhook/",
        b"\xff\xfe",
        content_type="application/json",
        headers={"Stripe-Signature": "t=1,v1=ab"},
    )
    assert response.status_code == 400


def test_a_huge_body_is_refused_unread(db, client):
    for size in (1_000_001, 3_000_000):
        assert client.post("/stripe/webhook/", **signed("x" * size)).status_code == 413
    assert not StripeEvent.objects.exists()


def test_only_posts_are_taken_and_need_no_csrf_token(db):
    client = Client(enforce_csrf_checks=True)
    assert client.get("/stripe/webhook/").status_code == 405
    unknown = {"id": "evt_1", "object": "event", "type": "charge.succeeded"}
    assert client.post("/stripe/webhook/", **signed(unknown)).status_code == 200


def test_a_failed_event_is_retried_by_the_sweep_ever_more_rarely(customer, plan, deliver):
    purchase_id = uuid4()
    deliver(event_about(purchase_id))
    event = StripeEvent.objects.get()
    first_wait = event.next_attempt_at - event.received_at
    make_due(event)
    tasks.sweep()
    event.refresh_from_db()
    assert (event.status, event.attempts) == ("failed", 2)
    make_purchase(customer, plan, id=purchase_id)
    tasks.sweep()  # Not due again yet.
    assert bought_credits(customer.organization) == []
    make_due(event)
    tasks.sweep()
    assert bought_credits(customer.organization) == [500]
    assert first_wait == timedelta(minutes=1)


def test_an_event_recorded_before_a_crash_is_handled_by_the_sweep(pending, deliver, monkeypatch):
    def crash(*args, **kwargs):
        raise SystemExit

    with monkeypatch.context() as crashing:
        crashing.setattr("topups.events.process", crash)
        with pytest.raises(SystemExit):
            deliver(event_about(pending.pk))
    event = StripeEvent.objects.get()
    assert event.status == StripeEvent.Status.RECEIVED
    make_due(event)
    tasks.sweep()
    assert bought_credits(pending.organization) == [500]


def test_one_event_that_fails_does_not_stop_the_others(pending, deliver):
    deliver(event_about(uuid4()))
    make_due(StripeEvent.objects.get())
    paid = event_about(pending.pk)
    StripeEvent.objects.create(
        event_id=paid["id"],
        type=paid["type"],
        payload=paid,
        received_at=datetime.now(UTC),
        next_attempt_at=datetime.now(UTC),
    )
    tasks.sweep()
    assert bought_credits(pending.organization) == [500]


def test_a_paid_purchase_without_its_grant_is_found(pending, customer, deliver, capsys):
    deliver(event_about(pending.pk))
    call_command("check_ledger")
    assert "purchases" in capsys.readouterr().out
    forgotten = make_purchase(customer, pending.plan, stripe_session_id="cs_test_2")
    Purchase.objects.filter(pk=forgotten.pk).update(
        status="paid", paid_at=forgotten.created_at, paid_minor=1000, next_check_at=None
    )
    with pytest.raises(CommandError):
        call_command("check_ledger")
    assert (
        f"purchase {forgotten.pk} is paid for 500 credits, its grant has 0"
        in capsys.readouterr().err
    )


def test_credits_sold_without_a_payment_are_found(pending, customer, capsys):
    ledger.grant(
        customer.organization,
        500,
        kind=Grant.Kind.TOP_UP,
        purchase_id=pending.pk,
        now=timezone.now(),
    )
    with pytest.raises(CommandError):
        call_command("check_ledger")
    assert f"purchase {pending.pk} is paid for 0 credits" in capsys.readouterr().err


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM topups_stripeevent",
        "UPDATE topups_stripeevent SET payload = '{}'",
        "UPDATE topups_stripeevent SET event_id = 'evt_other'",
        "DELETE FROM topups_purchase",
        "UPDATE topups_purchase SET credits = 1000000",
        "UPDATE topups_purchase SET amount_minor = 1",
        "UPDATE topups_purchase SET stripe_session_id = 'cs_other'",
        "UPDATE topups_purchase SET status = 'pending', paid_at = NULL, next_check_at = now()",
    ],
)
def test_the_database_refuses_to_rewrite_what_happened(pending, deliver, sql):
    deliver(event_about(pending.pk))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def make_due(event: StripeEvent) -> None:
    StripeEvent.objects.filter(pk=event.pk).update(next_attempt_at=event.received_at)


def dispute_event(number: int, **changes) -> dict:
    """What Stripe tells, within one second, of a dispute of the payment `pi_1`."""
    dispute = {
        "id": "dp_1",
        "object": "dispute",
        "payment_intent": "pi_1",
        "amount": 10_00,
        "currency": "usd",
        "status": "needs_response",
        "reason": "fraudulent",
        "created": 1_790_000_000,
        "balance_transactions": [],
        **changes,
    }
    return {
        "id": f"evt_{number}",
        "object": "event",
        "created": 1_790_000_000,
        "type": "charge.dispute.updated",
        "data": {"object": dispute},
    }


@pytest.mark.parametrize("first", [0, 1])
def test_a_prevented_dispute_that_took_the_money_takes_the_credits(pending, deliver, first):
    deliver(event_about(pending.pk))
    told = [
        dispute_event(1, status="prevented"),
        dispute_event(2, status="prevented", balance_transactions=[{"amount": -10_00}]),
    ]
    assert [deliver(told[first]), deliver(told[1 - first])] == [200, 200]
    assert bought_credits(pending.organization) == [0]


def test_a_dispute_in_another_currency_is_about_the_whole_payment(pending, deliver):
    deliver(event_about(pending.pk))
    assert deliver(dispute_event(1, currency="eur", amount=9_00)) == 200
    assert bought_credits(pending.organization) == [0]
    assert deliver(dispute_event(2, currency="eur", amount=9_00, status="won")) == 200
    assert bought_credits(pending.organization) == [500]


def test_a_status_unknown_here_is_kept_for_people(pending, deliver):
    deliver(event_about(pending.pk))
    assert deliver(dispute_event(1, status="mediated")) == 500
    assert "UnknownStatus" in StripeEvent.objects.get(status="failed").error
    assert bought_credits(pending.organization) == [500]


def test_an_event_that_fails_again_and_again_is_told_to_staff_once(db, deliver, settings):
    settings.ALERT_EMAILS = ["billing@example.com"]
    event = event_about(uuid4())
    for tries in range(1, 8):
        deliver(event)
        assert Email.objects.filter(template="alert").count() == (tries >= 5)
    alert = Email.objects.get()
    assert StripeEvent.objects.get().error in alert.context["text"]

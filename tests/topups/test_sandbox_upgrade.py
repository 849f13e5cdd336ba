"""What the first release's sandbox kept is there after the upgrade."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from topups.sandbox import refunds, sessions
from topups.sandbox.models import Session


def migrate(name: str):
    executor = MigrationExecutor(connection)
    executor.migrate([("sandbox", name)])
    return executor.loader.project_state([("sandbox", name)]).apps


def test_old_payments_can_be_refunded_and_old_sessions_paid(committed_db):
    now = timezone.now()
    old = migrate("0001_initial").get_model("sandbox", "Session")
    common = {
        "amount_total": 1000,
        "currency": "usd",
        "description": "500 credits",
        "success_url": "https://shop.test/",
        "created_at": now,
        "expires_at": now + sessions.LIFETIME,
    }
    try:
        old.objects.create(
            pk="cs_paid", status="complete", payment_status="paid", payment_intent="pi_1", **common
        )
        old.objects.create(pk="cs_open", **common)
    finally:
        migrate("0004_session_rules")
    paid = Session.objects.get(pk="cs_paid")
    assert (paid.payment_id, paid.amount_subtotal) == ("pi_1", 1000)
    assert refunds.create("pi_1", now=now).amount == 1000
    assert sessions.pay("cs_open", "4242424242424242", now=now).payment.amount == 1000

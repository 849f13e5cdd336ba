"""Staff's row actions while extensions use the same spends, holds and grants."""

import random
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from credits import ledger
from credits.ledger import audit
from credits.models import Grant, Organization, Refund, Spend, User
from tests.concurrency.threads import at_once
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"
REASON = "Ticket 4711"


@pytest.fixture
def organization(committed_db) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=100)


@pytest.fixture
def staff(committed_db) -> User:
    user = User.objects.create_user("staff@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="support"))
    return user


@pytest.fixture
def top_up(organization) -> Grant:
    now = timezone.now()
    purchase = paid_purchase(organization, 100, now=now)
    kind = Grant.Kind.TOP_UP
    return ledger.grant(organization, 100, kind=kind, purchase_id=purchase.pk, now=now)


def make(verb, organization: Organization, quantity: int) -> Spend:
    made = verb(organization, ACTION, quantity=quantity, now=timezone.now())
    return Spend.objects.get(pk=made.id)


def available(organization: Organization) -> int:
    return ledger.balance(organization, now=timezone.now()).total


class Staff:
    """A member of staff who has looked at what will happen, and confirms it."""

    def __init__(self, user: User, row: Spend | Grant, action: str, **asked: str) -> None:
        self.url = f"/admin/credits/{row._meta.model_name}/{row.pk}/{action}/"
        self.client = Client()
        self.client.force_login(user)
        ids = {"request_id": str(uuid4()), "adjustment_id": str(uuid4())}
        self.form = {"reason": REASON, **ids, **asked}
        self.form["confirmed"] = self.client.post(self.url, self.form).context["fingerprint"]

    def confirm(self) -> int:
        return self.client.post(self.url, self.form).status_code


def test_one_confirmation_sent_by_many_at_once_refunds_once(organization, staff):
    spend = make(ledger.spend, organization, 60)
    click = Staff(staff, spend, "refund", credits="20")
    codes = at_once(lambda _: click.confirm(), range(8))
    assert codes == [302] * 8
    assert Refund.objects.get().credits == 20
    assert LogEntry.objects.count() == 1
    assert available(organization) == 60
    assert list(audit.findings()) == []


def test_refunds_by_staff_and_by_the_extension_never_give_back_more_than_was_taken(
    organization, top_up, staff
):
    spend = make(ledger.spend, organization, 150)
    clicks = [Staff(staff, spend, "refund", credits="40") for _ in range(4)]
    calls = [
        *(click.confirm for click in clicks),
        *(lambda: ledger.refund(spend, credits=25, now=timezone.now()).credits for _ in range(4)),
        *(lambda: ledger.refund(spend, now=timezone.now()).credits for _ in range(2)),
    ]
    calls = [lambda call=call: call() for call in calls]
    random.shuffle(calls)
    errors = [e for e in at_once(lambda call: call(), calls) if isinstance(e, Exception)]
    assert all(isinstance(error, ledger.TooManyCredits) for error in errors)
    spend.refresh_from_db()
    assert spend.refunded_credits == sum(Refund.objects.values_list("credits", flat=True)) == 150
    assert LogEntry.objects.count() == Refund.objects.filter(actor=staff).count()
    assert available(organization) == 200
    assert list(audit.findings()) == []


def test_a_hold_is_either_released_by_staff_or_captured(organization, staff):
    holds = [make(ledger.hold, organization, 5) for _ in range(10)]
    clicks = [Staff(staff, hold, "release") for hold in holds]
    calls = [
        *(click.confirm for click in clicks),
        *(lambda hold=hold: ledger.capture(hold, now=timezone.now()) for hold in holds),
    ]
    random.shuffle(calls)
    errors = [e for e in at_once(lambda call: call(), calls) if isinstance(e, Exception)]
    assert all(isinstance(error, ledger.HoldClosed) for error in errors)
    released = Spend.objects.filter(status="released").count()
    captured = Spend.objects.filter(status="spent").count()
    assert (released + captured, released) == (10, len(errors))
    assert LogEntry.objects.count() == released
    assert available(organization) == 100 - 5 * captured
    assert list(audit.findings()) == []


def test_each_credit_of_a_revoked_grant_is_either_spent_or_taken_once(organization, top_up, staff):
    now = timezone.now()
    make(ledger.spend, organization, 100)  # The free ones, so that the bought ones are next.
    one_id = uuid4()
    calls = [
        *(lambda: ledger.spend(organization, ACTION, quantity=4, now=now).credits,) * 20,
        *(
            lambda: ledger.revoke_grant(
                Grant.objects.get(pk=top_up.pk),
                reason=REASON,
                actor=staff,
                now=now,
                adjustment_id=one_id,
            ),
        )
        * 4,
    ]
    random.shuffle(calls)
    results = at_once(lambda call: call(), calls)
    errors = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, ledger.OutOfCredits) for error in errors)
    assert results.count(True) == 1
    (taken,) = organization.entries.filter(kind="adjust").values_list("credits", flat=True)
    spent = 4 * (20 - len(errors))
    top_up.refresh_from_db()
    assert (top_up.remaining, -taken + spent) == (0, 100)
    assert list(audit.findings()) == []


def test_confirmations_of_a_revocation_take_only_what_they_showed(organization, top_up, staff):
    make(ledger.spend, organization, 100)
    clicks = [Staff(staff, top_up, "revoke") for _ in range(6)]
    calls = [
        *(click.confirm for click in clicks),
        lambda: ledger.spend(organization, ACTION, quantity=30, now=timezone.now()).credits,
    ]
    results = at_once(lambda call: call(), calls)
    taken = organization.entries.filter(kind="adjust").values_list("credits", flat=True)
    # Either the click came first and took all, or the spend did and the page is shown again.
    assert list(taken) in ([-100], [])
    assert isinstance(results[-1], ledger.OutOfCredits) == bool(taken)
    assert LogEntry.objects.count() == len(taken)
    assert list(audit.findings()) == []

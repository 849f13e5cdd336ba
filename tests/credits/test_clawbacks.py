"""Credits whose money went back: taken back, frozen, given back again, collected elsewhere."""

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from credits import ledger, reports
from credits.ledger import audit
from credits.models import Clawback, Grant, Organization, Spend
from tests.credits.support import MONDAY, Api, assert_problem
from tests.purchases import paid_purchase

NOON = MONDAY + timedelta(hours=12)
ACTION = "alt-text.generate"


@pytest.fixture(autouse=True)
def noon(set_clock):
    set_clock(NOON)


@pytest.fixture
def organization(db):
    """It gets no weekly bundle, so that all it spends is bought."""
    return Organization.objects.create(name="Acme", weekly_credits=0)


@pytest.fixture
def purchase_id(organization):
    return top_up(organization, 100)


@pytest.fixture(autouse=True)
def sound_at_the_end(db):
    yield
    assert list(audit.findings()) == []


def top_up(organization, credits: int) -> uuid.UUID:
    purchase_id = paid_purchase(organization, credits, now=NOON).pk
    kind = Grant.Kind.TOP_UP
    ledger.grant(organization, credits, kind=kind, purchase_id=purchase_id, now=NOON)
    return purchase_id


def claw_back(purchase_id, revoke=0, freeze=0, **fields):
    fields = {"now": NOON, "reason": "Money back", **fields}
    return ledger.claw_back(purchase_id, revoke=revoke, freeze=freeze, **fields)


def lines(organization) -> list[tuple[str, int]]:
    """The entries after the first grant's."""
    return list(organization.entries.order_by("seq").values_list("kind", "credits"))[1:]


def left(organization) -> int:
    return ledger.balance(organization, now=NOON).total


def spend(api: Api, quantity: int) -> str:
    response = api.spend(quantity=quantity)
    assert response.status_code == 201, response.content
    return response.json()["id"]


def hold(api: Api, quantity: int) -> str:
    body = {"action": ACTION, "quantity": quantity, "expires_in_seconds": 60}
    return api.post("holds", body).json()["id"]


def test_unused_credits_are_taken_back_with_reason_and_name(organization, purchase_id, staff):
    clawback = claw_back(purchase_id, revoke=30, reason="Refunded 3 of 10", actor=staff)
    assert (clawback.revoked_credits, clawback.shortfall, left(organization)) == (30, 0, 70)
    entry = organization.entries.get(kind="revoke")
    assert (entry.credits, entry.reason, entry.actor) == (-30, "Refunded 3 of 10", staff)


def test_frozen_credits_cannot_be_spent_and_come_back(api, organization, purchase_id):
    assert claw_back(purchase_id, freeze=100).frozen_credits == 100
    assert_problem(api.spend(), 402, "out_of_credits")
    assert claw_back(purchase_id).frozen_credits == 0
    spend(api, 100)
    assert lines(organization) == [("freeze", -100), ("thaw", 100), ("spend", -100)]


def test_a_lost_dispute_turns_frozen_credits_into_revoked_ones(organization, purchase_id):
    claw_back(purchase_id, freeze=60)
    clawback = claw_back(purchase_id, revoke=60)
    assert (clawback.revoked_credits, clawback.frozen_credits) == (60, 0)
    assert lines(organization) == [("freeze", -60), ("thaw", 60), ("revoke", -60)]


def test_used_credits_are_a_shortfall_that_no_later_top_up_pays(api, organization, purchase_id):
    spend(api, 80)
    clawback = claw_back(purchase_id, revoke=50)
    assert (clawback.revoked_credits, clawback.shortfall, left(organization)) == (20, 30, 0)
    top_up(organization, 200)
    assert left(organization) == 200
    assert claw_back(purchase_id, revoke=50).shortfall == 30


def test_a_repeat_changes_nothing(organization, purchase_id):
    before = claw_back(purchase_id, revoke=30, freeze=20)
    after = claw_back(purchase_id, revoke=30, freeze=20, now=NOON + timedelta(hours=1))
    assert after.updated_at == before.updated_at == NOON
    assert lines(organization) == [("revoke", -30), ("freeze", -20)]


def test_a_purchase_whose_money_never_went_back_has_no_clawback(organization, purchase_id):
    assert claw_back(purchase_id) is None
    assert not Clawback.objects.exists()
    claw_back(purchase_id, freeze=1)
    assert claw_back(purchase_id).frozen_credits == 0


@pytest.mark.parametrize(("revoke", "freeze"), [(-1, 0), (0, -1), (101, 0), (0, 101), (51, 50)])
def test_targets_that_do_not_fit_the_top_up_are_refused(purchase_id, revoke, freeze):
    with pytest.raises(ValueError, match="cannot be revoked"):
        claw_back(purchase_id, revoke, freeze)
    assert not Clawback.objects.exists()


def test_an_unknown_purchase_is_refused(db):
    with pytest.raises(Grant.DoesNotExist):
        claw_back(uuid.uuid4(), revoke=1)


TARGETS = [(10, 90), (0, 40), (100, 0), (35, 25)]


@pytest.mark.parametrize("start", range(len(TARGETS)))
def test_the_order_of_targets_does_not_matter(api, organization, purchase_id, start):
    spend(api, 50)
    for revoke, freeze in TARGETS[start:] + TARGETS[:start]:
        claw_back(purchase_id, revoke, freeze)
    clawback = claw_back(purchase_id, revoke=20, freeze=10)
    assert (clawback.revoked_credits, clawback.frozen_credits, left(organization)) == (20, 10, 20)


def test_a_refunded_spend_comes_home_to_the_shortfall_on_the_record(api, organization, purchase_id):
    spent = spend(api, 100)
    claw_back(purchase_id, revoke=30, freeze=30)
    assert api.post(f"spends/{spent}/refund", {"credits": 40}).status_code == 200
    assert lines(organization)[1:] == [("refund", 40), ("revoke", -30), ("freeze", -10)]
    assert set(organization.entries.filter(seq__gt=2).values_list("spend", flat=True)) == {
        uuid.UUID(spent)
    }
    api.post(f"spends/{spent}/refund")
    assert left(organization) == 40
    clawback = Clawback.objects.get()
    assert (clawback.outstanding_credits, clawback.shortfall) == (0, 0)


def test_credits_that_were_set_aside_do_not_escape(api, organization, purchase_id):
    held = [hold(api, 50), hold(api, 50)]
    assert claw_back(purchase_id, revoke=80).shortfall == 80
    api.post(f"holds/{held[0]}/release")
    assert left(organization) == 0
    api.post(f"holds/{held[1]}/capture", {"credits": 10})
    assert left(organization) == 10
    assert lines(organization)[-3:] == [("release", 50), ("spend", -10), ("revoke", -30)]


def test_holds_past_their_time_count_without_what_the_clawback_will_take(
    api, organization, purchase_id, set_clock
):
    hold(api, 60)
    hold(api, 40)
    claw_back(purchase_id, revoke=70)
    later = NOON + timedelta(hours=1)
    set_clock(later)
    assert ledger.balance(organization, now=later).by_kind["top_up"] == 30
    assert ledger.balance_at(organization, at=later).by_kind["top_up"] == 30
    problem = assert_problem(api.spend(quantity=31), 402, "out_of_credits")
    assert problem["required"] == 31
    spend(api, 30)
    assert ledger.balance(organization, now=later).total == 0
    assert ledger.balance_at(organization, at=later - timedelta(minutes=1)).total == 30


def top_up_that_lapses(organization, credits: int, lapses_at) -> uuid.UUID:
    """No page sells one today, but the ledger could give it."""
    purchase_id = paid_purchase(organization, credits, now=NOON).pk
    fields = {"kind": Grant.Kind.TOP_UP, "purchase_id": purchase_id, "expires_at": lapses_at}
    ledger.grant(organization, credits, now=NOON, **fields)
    return purchase_id


def test_credits_of_a_lapsed_grant_lapse_again_when_they_are_restored(api, organization):
    lapses_at = NOON + timedelta(days=1)
    purchase_id = top_up_that_lapses(organization, 100, lapses_at)
    spent = Spend.objects.get(pk=spend(api, 50))
    claw_back(purchase_id, revoke=60, freeze=30)
    ledger.refund(spent, credits=45, now=lapses_at)
    claw_back(purchase_id, revoke=20, now=lapses_at)
    assert lines(organization)[1:] == [
        ("revoke", -50), ("refund", 45), ("revoke", -10), ("freeze", -30), ("expire", -5),
        ("restore", 40), ("thaw", 30), ("expire", -70),
    ]  # fmt: skip


def test_a_past_balance_leaves_out_what_was_taken_of_a_lapsed_grant(
    api, organization, purchase_id, set_clock
):
    lapsing_id = top_up_that_lapses(organization, 60, NOON + timedelta(minutes=30))
    hold(api, 100)
    claw_back(lapsing_id, revoke=60)
    later = NOON + timedelta(hours=1)
    for _ in range(2):
        assert ledger.balance_at(organization, at=later).total == 100
        list(ledger.settle_overdue(now=later + timedelta(hours=1)))
    assert lines(organization)[-3:] == [("release", 60), ("revoke", -60), ("release", 40)]


def collect(purchase_id, credits, staff, **fields):
    fields = {"now": NOON, "reason": "Agreed by phone", **fields}
    return ledger.collect_shortfall(purchase_id, credits, actor=staff, **fields)


@pytest.fixture
def short(api, organization, purchase_id):
    """The organization used 100 credits whose money went back, and bought 70 others."""
    spend(api, 100)
    claw_back(purchase_id, revoke=100)
    top_up(organization, 70)
    return purchase_id


def test_staff_collect_a_shortfall_from_other_grants(organization, short, staff):
    assert collect(short, 60, staff) is True
    entry = organization.entries.latest("seq")
    assert (entry.kind, entry.credits, entry.reason) == ("adjust", -60, "Agreed by phone")
    assert entry.actor == staff
    assert (claw_back(short, revoke=100).shortfall, left(organization)) == (40, 10)


def test_a_collection_sent_twice_is_made_once(organization, short, staff):
    adjustment_id = uuid.uuid4()
    made = [collect(short, 60, staff, adjustment_id=adjustment_id) for _ in range(2)]
    assert made == [True, False]
    assert (Clawback.objects.get().collected_credits, left(organization)) == (60, 10)
    with pytest.raises(ledger.IdempotencyConflict):
        collect(short, 5, staff, adjustment_id=adjustment_id)


def test_no_more_is_collected_than_is_there_or_is_short(organization, short, staff):
    with pytest.raises(ledger.OutOfCredits) as caught:
        collect(short, 71, staff)
    assert caught.value.available == 70
    top_up(organization, 100)
    with pytest.raises(ledger.TooManyCredits) as too_many:
        collect(short, 101, staff)
    assert too_many.value.left == 100
    for credits in (0, -5):
        with pytest.raises(ValueError, match="At least 1"):
            collect(short, credits, staff)
    assert left(organization) == 170
    assert not organization.entries.filter(kind="adjust").exists()


def test_what_was_collected_in_vain_is_given_back(api, organization, short, staff):
    collect(short, 60, staff)
    clawback = claw_back(short, revoke=20, reason="Dispute won")
    assert (clawback.collected_credits, clawback.shortfall) == (20, 0)
    given = organization.grants.get(kind="staff")
    assert given.amount == 40
    assert given.entries.get().reason == "Dispute won"
    claw_back(short, revoke=0)
    assert left(organization) == 70


def test_what_was_collected_stays_taken_while_an_appeal_is_open(organization, short, staff):
    collect(short, 60, staff)
    for revoke, freeze in ((0, 100), (100, 0), (30, 70)):
        clawback = claw_back(short, revoke=revoke, freeze=freeze)
        assert (clawback.collected_credits, left(organization)) == (60, 10)
        assert clawback.shortfall == (40 if revoke == 100 else 0)
    claw_back(short, revoke=0)
    assert left(organization) == 70


def test_what_was_collected_is_not_taken_again_from_what_comes_home(
    api, organization, purchase_id, staff
):
    spent = spend(api, 100)
    claw_back(purchase_id, revoke=100)
    top_up(organization, 70)
    collect(purchase_id, 70, staff)
    api.post(f"spends/{spent}/refund")
    assert left(organization) == 70


def test_nothing_that_was_taken_counts_as_use(api, organization, purchase_id):
    spend(api, 7)
    claw_back(purchase_id, revoke=30, freeze=30)
    day = {"start": MONDAY, "end": MONDAY + timedelta(days=1)}
    (used,) = reports.usage(organization, **day, by="action")
    assert used["credits"] == 7


def test_a_failure_around_it_takes_the_clawback_back(organization, purchase_id):
    with transaction.atomic():
        claw_back(purchase_id, revoke=10)
        transaction.set_rollback(True)
    assert left(organization) == 100
    assert not Clawback.objects.exists()


FORBIDDEN = [
    "DELETE FROM credits_clawback",
    "UPDATE credits_clawback SET grant_id = (SELECT id FROM credits_grant WHERE amount = 7)",
    "UPDATE credits_clawback SET revoke_credits = 61",
    "UPDATE credits_clawback SET freeze_credits = 71",
    "UPDATE credits_clawback SET revoked_credits = 31",
    "UPDATE credits_clawback SET collected_credits = 1",
    "UPDATE credits_clawback SET revoked_credits = -1",
    "UPDATE credits_clawback SET frozen_credits = 41",
    "UPDATE credits_clawback SET frozen_credits = -1",
    "INSERT INTO credits_clawback (grant_id, revoke_credits, updated_at) "
    "SELECT id, 8, now() FROM credits_grant WHERE amount = 7",
    "INSERT INTO credits_clawback (grant_id, revoke_credits, updated_at) "
    "SELECT id, 1, now() FROM credits_grant WHERE kind = 'staff'",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_database_keeps_clawbacks_honest(organization, purchase_id, staff, statement):
    top_up(organization, 7)
    ledger.adjust(organization, 5, reason="Gift", actor=staff, now=NOON)
    claw_back(purchase_id, revoke=30, freeze=40)
    before = list(Clawback.objects.values())
    with (
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert list(Clawback.objects.values()) == before


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE credits_clawback SET revoked_credits = revoked_credits - 1",
        "UPDATE credits_clawback SET frozen_credits = frozen_credits - 1",
        "UPDATE credits_clawback SET revoke_credits = revoke_credits + 1",
        "DELETE FROM credits_clawback",
    ],
)
def test_the_check_names_a_clawback_that_is_off(organization, purchase_id, forgery):
    claw_back(purchase_id, revoke=30, freeze=40)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(forgery)
        (finding,) = audit.findings()
        transaction.set_rollback(True)
    assert finding.startswith(f"clawbacks: grant {organization.grants.get().pk} ")


@pytest.fixture
def page(admin):
    def page(path: str, view: str = "change/") -> str:
        response = admin.get(f"/admin/credits/{path}/{view}")
        assert response.status_code == 200
        return response.content.decode()

    return page


def test_staff_see_what_became_of_the_credits(api, page, organization, purchase_id, staff):
    spend(api, 90)
    claw_back(purchase_id, revoke=30, freeze=40)
    top_up(organization, 50)
    collect(purchase_id, 5, staff)
    fates = "10 taken back, 5 collected elsewhere, 15 used already"
    assert f"({fates})" in page(f"organization/{organization.pk}")
    assert fates in page(f"grant/{Clawback.objects.get().pk}")
    claw_back(purchase_id, freeze=40)
    assert "5 collected elsewhere, 10 frozen" in page(f"organization/{organization.pk}")
    entries = page(f"organization/{organization.pk}", "activity/?list=entries")
    assert all(label in entries for label in ("Taken back", "Restored", "Frozen", "Adjusted"))


def test_staff_see_nothing_of_clawbacks_where_there_are_none(page, organization, purchase_id):
    grant = organization.grants.get()
    claw_back(purchase_id, freeze=40)
    claw_back(purchase_id)
    assert "money back" not in page(f"grant/{grant.pk}").lower()
    assert "frozen)" not in page(f"organization/{organization.pk}")

"""Staff refund spends, release holds and revoke grants from the row, and confirm what happens."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils.html import strip_tags

from credits import ledger
from credits.ledger import audit
from credits.models import Grant, Organization, Refund, Spend
from tests.credits.support import MONDAY, query_count
from tests.purchases import paid_purchase

NOON = MONDAY + timedelta(hours=12)
NEXT_WEEK = NOON + timedelta(days=7)
ACTION = "alt-text.generate"
REASON = "Ticket 4711"


@pytest.fixture(autouse=True)
def _noon(db, set_clock) -> None:
    set_clock(NOON)


@pytest.fixture
def spend(organization, staff) -> Spend:
    """60 credits: 50 from the weekly bundle and 10 from 20 that staff gave."""
    ledger.adjust(organization, 20, reason="Welcome", actor=staff, now=NOON)
    return take(organization, 60)


@pytest.fixture
def hold(organization, staff) -> Spend:
    ledger.adjust(organization, 20, reason="Welcome", actor=staff, now=NOON)
    made = ledger.hold(organization, ACTION, quantity=60, expires_in_seconds=86_400, now=NOON)
    return Spend.objects.get(pk=made.id)


@pytest.fixture
def top_up(organization) -> Grant:
    purchase = paid_purchase(organization, 100, now=NOON)
    kind = Grant.Kind.TOP_UP
    return ledger.grant(organization, 100, kind=kind, purchase_id=purchase.pk, now=NOON)


def take(organization: Organization, quantity: int) -> Spend:
    made = ledger.spend(organization, ACTION, quantity=quantity, now=NOON)
    return Spend.objects.get(pk=made.id)


def page_of(row: Spend | Grant) -> str:
    return f"/admin/credits/{row._meta.model_name}/{row.pk}/change/"


def url_of(row: Spend | Grant, action: str) -> str:
    return f"/admin/credits/{row._meta.model_name}/{row.pk}/{action}/"


def asked(**changes: str) -> dict[str, str]:
    ids = {"request_id": str(uuid4()), "adjustment_id": str(uuid4())}
    return {"credits": "12", "reason": REASON, **ids, **changes}


def confirm(client: Client, url: str, form: dict[str, str]):
    """Send the form, then confirm what it says; the confirmation can be sent once more."""
    page = client.post(url, form)
    assert page.context.get("fingerprint"), page.context["form"].errors
    confirmed = {**form, "confirmed": page.context["fingerprint"]}
    return client.post(url, confirmed, follow=True), confirmed


def consequences(client: Client, url: str, form: dict[str, str]) -> list[str]:
    """What the page says will happen, without its links."""
    return [strip_tags(told) for told in client.post(url, form).context["consequences"]]


def remaining(organization: Organization) -> dict[str, int]:
    return dict(organization.grants.order_by("kind", "created_at").values_list("kind", "remaining"))


def last_entries(organization: Organization, count: int):
    rows = organization.entries.order_by("-seq")[:count]
    return [(row.kind, row.credits, row.actor, row.reason) for row in reversed(rows)]


# --- Refund a spend ---------------------------------------------------------------------------


def test_a_refund_offers_all_that_is_left_and_says_what_will_happen(admin, organization, spend):
    ledger.refund(spend, credits=2, now=NOON)
    page = admin.get(url_of(spend, "refund"))
    assert page.context["form"]["credits"].value() == 58
    assert consequences(admin, url_of(spend, "refund"), asked()) == [
        "8 credits will go back to the staff adjustment of 20 from Nov 23, 2026.",
        "4 credits will go back to the weekly bundle of 50 from Nov 23, 2026.",
        "Acme can spend 12 credits now and will be able to spend 24.",
    ]
    assert remaining(organization) == {"staff": 12, "weekly": 0}
    assert not LogEntry.objects.exists()


def test_what_was_confirmed_happens_with_actor_and_reason(admin, organization, spend):
    answer, _ = confirm(admin, url_of(spend, "refund"), asked())
    assert "Gave back 12 credits. Acme now has 22." in answer.text
    assert answer.redirect_chain == [(page_of(spend), 302)]
    by = (admin.user, REASON)
    assert last_entries(organization, 2) == [("refund", 10, *by), ("refund", 2, *by)]
    refund = Refund.objects.get()
    assert (refund.credits, refund.actor, refund.reason) == (12, *by)
    log = LogEntry.objects.get()
    assert (log.user, log.object_id) == (admin.user, str(spend.pk))
    assert log.get_change_message() == f"Refunded 12 credits: {REASON}"
    for page in ("entry", "refund"):
        told = admin.get(f"/admin/credits/{page}/").text
        assert REASON in told
        assert admin.user.email in told
    assert list(audit.findings()) == []


def test_a_confirmation_sent_twice_refunds_once(admin, organization, spend):
    _, form = confirm(admin, url_of(spend, "refund"), asked())
    again = admin.post(url_of(spend, "refund"), form, follow=True)
    assert "This was done before, so nothing changed." in again.text
    assert Refund.objects.count() == LogEntry.objects.count() == 1
    for changes in ({"credits": "5"}, {"reason": "Another"}):
        other = admin.post(url_of(spend, "refund"), {**form, **changes})
        assert "used before, for another refund" in other.text
    assert Refund.objects.count() == 1


def test_credits_of_a_lapsed_bundle_are_said_to_lapse_again(admin, organization, spend, set_clock):
    set_clock(NEXT_WEEK)
    url = url_of(spend, "refund")
    assert consequences(admin, url, asked(credits="60")) == [
        "10 credits will go back to the staff adjustment of 20 from Nov 23, 2026.",
        "50 credits will go back to the weekly bundle of 50 from Nov 23, 2026. 50 credits of them "
        "will lapse again at once, because its time is over.",
        "Acme can spend 60 credits now and will be able to spend 70.",
    ]
    confirm(admin, url, asked(credits="60"))
    assert last_entries(organization, 1) == [("expire", -50, admin.user, REASON)]
    assert list(audit.findings()) == []


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ((80, 0), "30 credits of them will be taken back at once, because their money went back."),
        ((0, 80), "30 credits of them will be frozen at once, because their payment is disputed."),
    ],
)
def test_what_a_clawback_takes_of_a_refund_is_foretold(admin, organization, top_up, targets, told):
    spend = take(organization, 50 + 50)
    ledger.claw_back(
        top_up.purchase_id, revoke=targets[0], freeze=targets[1], now=NOON, reason="Money back"
    )
    url = url_of(spend, "refund")
    first, *_ = consequences(admin, url, asked(credits="50"))
    assert first == (f"50 credits will go back to the top-up of 100 from Nov 23, 2026. {told}")
    confirm(admin, url, asked(credits="50"))
    assert remaining(organization) == {"top_up": 20, "weekly": 0}
    assert list(audit.findings()) == []


def test_what_changed_since_the_page_was_shown_is_shown_first(admin, organization, spend):
    url, form = url_of(spend, "refund"), asked()
    shown = admin.post(url, form).context["fingerprint"]
    ledger.refund(spend, credits=9, now=NOON)
    page = admin.post(url, {**form, "confirmed": shown})
    assert "Things have changed since you looked" in page.text
    assert strip_tags(page.context["consequences"][0]).startswith(
        "1 credit will go back to the staff"
    )
    assert Refund.objects.count() == 1
    admin.post(url, {**form, "confirmed": page.context["fingerprint"]})
    assert Refund.objects.filter(credits=12, actor=admin.user).count() == 1


def test_spends_in_between_do_not_hold_a_refund_up(admin, organization, spend):
    url, form = url_of(spend, "refund"), asked()
    shown = admin.post(url, form).context["fingerprint"]
    take(organization, 3)
    admin.post(url, {**form, "confirmed": shown})
    assert Refund.objects.get().credits == 12


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"credits": ""}, "This field is required"),
        ({"credits": "0"}, "greater than or equal to 1"),
        ({"credits": "-5"}, "greater than or equal to 1"),
        ({"credits": "ten"}, "Enter a whole number"),
        ({"credits": "9" * 30}, "less than or equal to"),
        ({"credits": "61"}, "At most 60 credits can be given back."),
        ({"reason": "  "}, "This field is required"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"reason": "a\0b"}, "Null characters are not allowed"),
        ({"request_id": ""}, "lost its one-time id"),
        ({"request_id": "one"}, "lost its one-time id"),
    ],
)
@pytest.mark.parametrize("step", [{}, {"confirmed": "yes"}])
def test_a_wrong_refund_is_explained_and_changes_nothing(admin, spend, changes, told, step):
    page = admin.post(url_of(spend, "refund"), {**asked(**changes), **step})
    assert page.status_code == 200
    assert told in page.text
    assert not Refund.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_confirmation_made_up_confirms_nothing(admin, spend):
    page = admin.post(url_of(spend, "refund"), asked(confirmed="yes"))
    assert page.context["consequences"]
    assert not Refund.objects.exists()


def test_a_captured_hold_is_refunded_like_a_spend(admin, organization, hold):
    ledger.capture(hold, credits=55, now=NOON)
    page = admin.get(url_of(hold, "refund"))
    assert page.context["form"]["credits"].value() == 55
    confirm(admin, url_of(hold, "refund"), asked(credits="55"))
    assert remaining(organization) == {"staff": 20, "weekly": 50}


# --- Release a hold ---------------------------------------------------------------------------


def test_a_release_says_what_returns_where_and_does_it(admin, organization, hold):
    url = url_of(hold, "release")
    assert consequences(admin, url, asked()) == [
        "50 credits will go back to the weekly bundle of 50 from Nov 23, 2026.",
        "10 credits will go back to the staff adjustment of 20 from Nov 23, 2026.",
        "Acme can spend 10 credits now and will be able to spend 70.",
    ]
    hold.refresh_from_db()
    assert hold.status == "held"
    answer, form = confirm(admin, url, asked())
    assert "Released 60 credits. Acme now has 70." in answer.text
    by = (admin.user, REASON)
    assert last_entries(organization, 2) == [("release", 50, *by), ("release", 10, *by)]
    assert LogEntry.objects.get().get_change_message() == f"Released 60 credits: {REASON}"
    with pytest.raises(ledger.HoldClosed):
        ledger.capture(hold, now=NOON)
    again = admin.post(url, form, follow=True)
    assert "This hold ended without a capture" in again.text
    assert LogEntry.objects.count() == 1
    assert list(audit.findings()) == []


def test_a_hold_that_is_captured_meanwhile_is_not_released(admin, hold):
    form = asked()
    shown = admin.post(url_of(hold, "release"), form).context["fingerprint"]
    ledger.capture(hold, now=NOON)
    page = admin.post(url_of(hold, "release"), {**form, "confirmed": shown}, follow=True)
    assert "This hold was captured. Refund it" in page.text
    assert not LogEntry.objects.exists()


def test_a_hold_whose_time_is_over_gives_its_credits_back_by_itself(admin, hold, set_clock):
    set_clock(NOON + timedelta(days=2))
    for answer in (
        admin.get(url_of(hold, "release"), follow=True),
        admin.post(url_of(hold, "release"), asked(), follow=True),
    ):
        assert "This hold ended without a capture" in answer.text
    assert not LogEntry.objects.exists()


# --- Revoke a grant ---------------------------------------------------------------------------


def test_a_revocation_takes_all_that_remains_of_this_grant(admin, organization, spend):
    ledger.adjust(organization, 5, reason="More", actor=admin.user, now=NOON)
    grant = organization.grants.get(kind="staff", amount=20)
    url = url_of(grant, "revoke")
    assert consequences(admin, url, asked()) == [
        "10 credits will be taken out of the staff adjustment of 20 from Nov 23, 2026.",
        "Acme can spend 15 credits now and will be able to spend 5.",
    ]
    answer, form = confirm(admin, url, asked())
    assert "Took 10 credits. Acme now has 5." in answer.text
    assert last_entries(organization, 1) == [("adjust", -10, admin.user, REASON)]
    assert LogEntry.objects.get().get_change_message() == f"Revoked 10 credits: {REASON}"
    again = admin.post(url, form, follow=True)
    assert "This was done before, so nothing changed." in again.text
    assert LogEntry.objects.count() == 1
    assert list(audit.findings()) == []


def test_a_grant_that_was_used_meanwhile_is_shown_again_first(admin, organization, top_up):
    url, form = url_of(top_up, "revoke"), asked()
    shown = admin.post(url, form).context["fingerprint"]
    take(organization, 90)
    page = admin.post(url, {**form, "confirmed": shown})
    assert "Things have changed since you looked" in page.text
    assert strip_tags(page.context["consequences"][0]).startswith("60 credits will be taken out")
    assert remaining(organization)["top_up"] == 60
    admin.post(url, {**form, "confirmed": page.context["fingerprint"]})
    assert remaining(organization)["top_up"] == 0


def test_revoking_bought_credits_says_that_no_money_goes_back(admin, sign_in, top_up):
    url = url_of(top_up, "revoke")
    *_, told = admin.post(url, asked()).context["consequences"]
    assert "No money goes back by this." in told
    assert f"/admin/topups/purchase/{top_up.purchase_id}/refund/" in told
    *_, told = sign_in("support").post(url, asked()).context["consequences"]
    assert f"/admin/topups/purchase/{top_up.purchase_id}/change/" in told
    assert "needs somebody who may refund payments" in told


def test_what_comes_home_later_stays_in_a_revoked_grant(admin, organization, spend):
    weekly = organization.grants.get(kind="weekly")
    ledger.refund(spend, credits=40, now=NOON)
    confirm(admin, url_of(weekly, "revoke"), asked())
    assert remaining(organization) == {"staff": 20, "weekly": 0}
    ledger.refund(spend, now=NOON)
    assert remaining(organization) == {"staff": 20, "weekly": 20}
    assert list(audit.findings()) == []


def test_the_id_of_another_adjustment_revokes_nothing(admin, organization, top_up):
    used = uuid4()
    ledger.adjust(organization, -5, reason=REASON, actor=admin.user, now=NOON, adjustment_id=used)
    page = admin.post(url_of(top_up, "revoke"), asked(adjustment_id=str(used)))
    assert "used before, for another adjustment" in page.text
    assert remaining(organization)["top_up"] == 100


# --- What makes no sense, and who may ---------------------------------------------------------


def refunded(spend: Spend) -> None:
    ledger.refund(spend, now=NOON)


def captured(hold: Spend) -> None:
    ledger.capture(hold, now=NOON)


def released(hold: Spend) -> None:
    ledger.release(hold, now=NOON)


@pytest.mark.parametrize(
    ("row", "make", "action", "told"),
    [
        ("spend", refunded, "refund", "All of it was given back already"),
        ("hold", None, "refund", "This hold is still open."),
        ("hold", released, "refund", "All of it was given back already"),
        ("spend", None, "release", "This spend was never a hold."),
        ("hold", captured, "release", "This hold was captured."),
        ("hold", released, "release", "This hold ended without a capture"),
    ],
)
def test_what_makes_no_sense_is_not_offered_and_explains_itself(
    admin, request, row, make, action, told
):
    row = request.getfixturevalue(row)
    if make:
        make(row)
    url = url_of(row, action)
    assert url not in admin.get(page_of(row)).text
    assert url not in admin.get("/admin/credits/spend/").text
    entries = row.organization.entries.count()
    for answer in (admin.get(url, follow=True), admin.post(url, asked(), follow=True)):
        assert told in answer.text
    assert row.organization.entries.count() == entries


def test_an_empty_or_lapsed_grant_is_not_revoked(admin, organization, spend, set_clock):
    weekly = organization.grants.get(kind="weekly")
    url = url_of(weekly, "revoke")
    for told, now in (("Nothing remains", NOON), ("has lapsed", NEXT_WEEK)):
        set_clock(now)
        assert told in admin.get(url, follow=True).text
        assert "there is nothing to take" in admin.post(url, asked(), follow=True).text
        assert url not in admin.get(page_of(weekly)).text
        ledger.refund(spend, now=NOON)
    assert not organization.entries.filter(kind="adjust").exists()


@pytest.mark.parametrize("path", ["spend/{}/refund", "spend/{}/release", "grant/{}/revoke"])
@pytest.mark.parametrize("key", [uuid4(), "nonsense", "a%00b", "1"])
def test_no_row_is_a_404(admin, path, key):
    assert admin.get(f"/admin/credits/{path.format(key)}/").status_code == 404


MAY = {"support": True, "administrators": True, "finance": False, "nobody": False}


@pytest.mark.parametrize(("role", "may"), MAY.items())
@pytest.mark.parametrize(
    ("row", "action"), [("spend", "refund"), ("hold", "release"), ("top_up", "revoke")]
)
def test_only_who_has_the_permission_sees_and_does_it(request, sign_in, role, may, row, action):
    row, client = request.getfixturevalue(row), sign_in(role)
    url, entries = url_of(row, action), row.organization.entries.count()
    assert client.get(url).status_code == (200 if may else 403)
    if role != "nobody":
        for page in (page_of(row), f"/admin/credits/{row._meta.model_name}/"):
            assert (url in client.get(page).text) is may
    answer = client.post(url, asked())
    assert answer.status_code == (200 if may else 403)
    if may:
        confirm(client, url, asked())
    assert (row.organization.entries.count() > entries) is may


def test_the_lists_ask_nothing_for_each_row(admin, spend):
    take(spend.organization, 1)
    ledger.hold(spend.organization, ACTION, now=NOON)
    ledger.adjust(spend.organization, 2, reason="More", actor=admin.user, now=NOON)
    lists = ("/admin/credits/spend/", "/admin/credits/grant/")
    few = [query_count(admin, address) for address in lists]
    for _ in range(10):
        take(spend.organization, 1)
        ledger.hold(spend.organization, ACTION, now=NOON)
        ledger.adjust(spend.organization, 2, reason="More", actor=admin.user, now=NOON)
    assert [query_count(admin, address) for address in lists] == few


def test_a_revocation_needs_a_reason(top_up, staff):
    with pytest.raises(ValueError, match="needs a reason"):
        ledger.revoke_grant(top_up, reason=" ", actor=staff, now=NOON)

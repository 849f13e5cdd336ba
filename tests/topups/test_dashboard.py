"""The first page of the admin: its numbers, where they lead, and who sees which."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from buying import make_purchase
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from sold import dispute, give_back, sell

from credits import jobs, ledger, totals
from credits.models import Email, Organization, Spend, TotalsMark
from tests.tiles import tile
from topups.models import Plan, StripeEvent

# A Wednesday, so that last week has days on both sides of it.
NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
TODAY, MONDAY = NOW - timedelta(hours=2), NOW - timedelta(days=2)
LAST_TUESDAY, LAST_FRIDAY = NOW - timedelta(days=8), NOW - timedelta(days=5)
BEFORE = NOW - timedelta(days=16)

PERIODS = ["Today", "This week", "Last week to Wednesday", "Last week"]
CREDITS = {
    "Granted": ["50", "200", "50", "550"],
    "Weekly bundle": ["0", "50", "50", "50"],
    "Top-ups, sold": ["10", "110", "0", "500"],
    "Staff adjustment": ["40", "40", "0", "0"],
    "Spent": ["13", "16", "7", "18"],
    "Background removal": ["0", "3", "0", "0"],
    "Image alt text": ["13", "13", "7", "18"],
    "Given back for spends": ["2", "2", "0", "0"],
    "Lapsed": ["0", "32", "45", "45"],
    "Taken back": ["0", "25", "0", "0"],
    "Taken by staff": ["9", "9", "0", "0"],
}
REVENUE = [
    ("Paid in JPY", ["3,000 JPY", "3,000 JPY", "0", "0"]),
    ("Purchases", ["1", "1", "0", "0"]),
    ("Taken back by banks", ["3,000 JPY", "3,000 JPY", "0", "0"]),
    ("Paid in USD", ["0", "$20.00", "0", "$40.00"]),
    ("Purchases", ["0", "1", "0", "1"]),
    ("Refunded", ["0", "$5.00", "0", "0"]),
]


@pytest.fixture
def set_clock(monkeypatch):
    def set_clock(now):
        monkeypatch.setattr(timezone, "now", lambda: now)

    return set_clock


@pytest.fixture
def acme(db) -> Organization:
    return Organization.objects.create(name="Acme", weekly_credits=50)


@pytest.fixture
def history(acme, admin, set_clock) -> Organization:
    """Three weeks in which a little of everything happened, the first of them too old to be seen.

    Between what is looked for lies what must not be: a refusal, an hour before midnight, a hold.
    """
    for now, quantity in ((BEFORE, 5), (LAST_TUESDAY, 7), (LAST_FRIDAY, 11)):
        set_clock(now)
        ledger.spend(acme, "alt-text.generate", quantity=quantity, now=now)
    sell(acme, credits=500, paid_minor=40_00)
    set_clock(MONDAY)
    assert sum(jobs.refill(as_of=MONDAY, now=MONDAY)) == 1
    spend = ledger.spend(acme, "background.remove", quantity=3, now=MONDAY)
    give_back(sell(acme, credits=100, paid_minor=20_00), 5_00)
    set_clock(TODAY)
    ledger.refund(Spend.objects.get(pk=spend.id), credits=2, now=TODAY)
    ledger.spend(acme, "alt-text.generate", quantity=13, now=TODAY)
    ledger.hold(acme, "alt-text.generate", quantity=4, now=TODAY)
    dispute(sell(acme, credits=10, paid_minor=3000, currency="jpy"), 3000)
    ledger.adjust(acme, 40, reason="Sorry", actor=admin.user, now=TODAY)
    ledger.adjust(acme, -9, reason="Test", actor=admin.user, now=TODAY)
    set_clock(NOW)
    totals.roll_up(now=NOW)
    return acme


def rows_of(page: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The tables' rows: a name, and each number with where it leads."""
    rows = []
    for row in re.findall(r"<tr(?: class=\"part\")?>(.*?)</tr>", page, re.S):
        name = re.search(r'<th scope="row">(.*?)</th>', row)
        cells = re.findall(r'<td class="number">(.*?)</td>', row, re.S)
        rows += [(html.unescape(name[1]), [cell_of(cell) for cell in cells])] if name else []
    return rows


def cell_of(cell: str) -> tuple[str, str]:
    url = re.search(r'href="([^"]*)"', cell)
    return re.sub("<[^>]+>", "", cell).strip(), html.unescape(url[1]) if url else ""


def numbers_of(page: str, first: int, last: int) -> list[tuple[str, list[str]]]:
    return [(name, [text for text, _ in cells]) for name, cells in rows_of(page)[first:last]]


# --- The figures ------------------------------------------------------------------------------


def test_the_figures_are_what_happened(admin, history):
    page = admin.get("/admin/").text
    assert numbers_of(page, 0, len(CREDITS)) == list(CREDITS.items())
    assert numbers_of(page, len(CREDITS), len(CREDITS) + len(REVENUE)) == REVENUE
    assert re.findall(r'<th scope="col">(.*?) <span', page)[:4] == PERIODS
    for told in ("Nov 23 to Nov 25", "Nov 16 to Nov 18", "Nov 16 to Nov 22", "As of Nov 25, 12:30"):
        assert told in page


def test_each_number_leads_to_exactly_the_rows_it_is_the_sum_of(admin, history):
    followed = 0
    for name, cells in rows_of(admin.get("/admin/").text):
        for text, url in cells:
            assert bool(url) == (text != "0"), name
            if url:
                assert total_behind(admin, name, url) == number(text), (name, url)
                followed += 1
    assert followed == 48


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def total_behind(admin, name: str, url: str) -> int:
    found = admin.get(url)
    assert found.status_code == 200
    rows = found.context["cl"].queryset.order_by()
    if name == "Purchases":
        return rows.count()
    sums = {"entry": "credits", "purchase": "paid_minor"}
    return abs(
        rows.aggregate(sum=Sum(sums.get(rows.model._meta.model_name, "amount_minor")))["sum"]
    )


def test_the_chart_s_days_are_there_as_a_table(admin, history):
    days = rows_of(admin.get("/admin/").text)[len(CREDITS) + len(REVENUE) :]
    assert [(day, [text for text, _ in cells]) for day, cells in days] == [
        ("Wed, Nov 25", ["13", "0", "13"]),
        ("Mon, Nov 23", ["0", "3", "3"]),
        ("Fri, Nov 20", ["11", "0", "11"]),
        ("Tue, Nov 17", ["7", "0", "7"]),
    ]
    longer = admin.get("/admin/", {"days": "30"}).text
    assert rows_of(longer)[-1][0] == "Mon, Nov 9"
    assert "Nov 9" not in admin.get("/admin/", {"days": "31 or more"}).text


def test_with_nothing_in_it_the_page_says_so(admin, db, set_clock):
    set_clock(NOW)
    page = admin.get("/admin/").text
    for told in ("Nothing needs attention", "Nothing in these two weeks", "Nothing was spent"):
        assert told in page
    assert tile(page, "Out of credits")[:2] == ("ok", "0")
    assert tile(page, "Ledger check")[:2] == ("neutral", "Not yet")


def test_more_organizations_and_purchases_ask_the_database_no_more_often(admin, history, set_clock):
    queries(admin)  # The first visit of a session notes that somebody is there.
    before = queries(admin)
    for n in range(5):
        organization = Organization.objects.create(name=f"O{n}", weekly_credits=20)
        ledger.spend(organization, "rich-text.generate", quantity=20, now=NOW)
        sell(organization, currency="eur")
    totals.roll_up(now=NOW)
    assert queries(admin) == before


def queries(admin) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert admin.get("/admin/").status_code == 200
    return len(asked)


# --- What needs attention ---------------------------------------------------------------------


def test_what_needs_attention_comes_first_and_leads_to_its_rows(admin, customer, set_clock):
    set_clock(NOW)
    trouble(customer)
    totals.roll_up(now=NOW)
    page = admin.get("/admin/").text
    assert "4 things need attention" in page
    states = re.findall(r'class="tile is-(\w+)"', page)
    assert states == sorted(states, key=["danger", "warning", "neutral", "ok"].index)
    expected = {
        "Failed events": ("danger", 1),
        "Stuck purchases": ("danger", 3),
        "Failing emails": ("warning", 1),
        "Disputes to answer": ("warning", 1),
        "Out of credits": ("neutral", 2),
    }
    for title, (state, rows) in expected.items():
        urgency, value, url = tile(page, title)
        assert (urgency, value) == (state, str(rows)), title
        assert admin.get(url).context["cl"].result_count == rows, title


def trouble(customer) -> None:
    """Of each trouble some rows, beside rows that are in order."""
    for n, status in enumerate(("failed", "received", "ignored")):
        unfinished = None if status == "ignored" else NOW
        StripeEvent.objects.create(
            event_id=f"evt_{n}",
            type="x",
            payload={},
            status=status,
            received_at=NOW,
            next_attempt_at=unfinished,
        )
    mail = {"to": "a@example.com", "template": "receipt", "created_at": NOW}
    Email.objects.create(key="1", **mail, next_attempt_at=NOW, error="No route")
    Email.objects.create(key="2", **mail, next_attempt_at=NOW)
    Email.objects.create(key="3", **mail, sent_at=NOW)
    plan = Plan.objects.first()
    for number, age, fields in (
        (1, timedelta(hours=1), {"failed_checks": 1}),
        (2, timedelta(hours=31), {}),
        (3, timedelta(hours=29), {}),
        (4, timedelta(days=3), {"status": "processing"}),
        (5, timedelta(days=16), {"status": "processing"}),
        (6, timedelta(days=3), {"status": "expired", "next_check_at": None}),
    ):
        make_purchase(customer, plan, credits=number, created_at=NOW - age, **fields)
    dispute(sell(), 1_00)
    dispute(sell(), 1_00, status="under_review")
    run_out()


def run_out() -> None:
    """Two organizations are out of credits; of a third a new bundle is there, though untouched."""
    for name, weekly_credits, at in (
        ("Out since today", 5, TODAY),
        ("Out, without bundles", 0, LAST_FRIDAY),
        ("Out until Monday", 5, LAST_FRIDAY),
    ):
        organization = Organization.objects.create(name=name, weekly_credits=weekly_credits)
        with pytest.raises(ledger.OutOfCredits):
            ledger.spend(organization, "alt-text.generate", quantity=6, now=at)


def test_old_totals_need_attention(admin, history, set_clock):
    TotalsMark.objects.update(as_of=None)
    assert "Nothing is counted. Is a worker running?" in admin.get("/admin/").text
    TotalsMark.objects.update(as_of=NOW)
    set_clock(NOW + timedelta(minutes=9))
    assert "Totals of credits" not in admin.get("/admin/").text
    set_clock(NOW + timedelta(minutes=11))
    page = admin.get("/admin/").text
    assert tile(page, "Totals of credits")[:2] == ("warning", "Behind")
    assert "Nothing is counted since Nov 25, 12:30 UTC" in page


def test_a_spend_still_updates_its_wallet_in_place(acme):
    ledger.spend(acme, "alt-text.generate", now=NOW)
    before = wallet_updates()
    for _ in range(5):
        ledger.spend(acme, "alt-text.generate", now=NOW)
    updates, in_place = (after - then for after, then in zip(wallet_updates(), before, strict=True))
    assert updates == in_place == 5


def wallet_updates() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables "
            "WHERE relname = 'credits_wallet'"
        )
        return cursor.fetchone()


# --- Who sees what ----------------------------------------------------------------------------

PARTS = {
    "credits.view_entry": ("Lapsed", "Credits spent by day", "As of Nov 25"),
    "credits.view_organization": ("Out of credits",),
    "credits.view_jobrun": ("Refill of this week", "Ledger check"),
    "credits.view_email": ("Failing emails",),
    "topups.view_purchase": ("Revenue", "Paid in USD", "Stuck purchases"),
    "topups.view_stripeevent": ("Failed events",),
    "topups.view_dispute": ("Disputes to answer",),
}


@pytest.mark.parametrize("permission", PARTS)
def test_each_part_is_for_those_who_may_see_its_rows(sign_in, history, permission):
    nobody = sign_in("nobody")
    page = body(nobody)
    assert "none of the figures" in page
    assert not any(told in page for parts in PARTS.values() for told in parts)
    app, codename = permission.split(".")
    nobody.user.user_permissions.add(
        Permission.objects.get(content_type__app_label=app, codename=codename)
    )
    page = body(nobody)
    for other, parts in PARTS.items():
        for told in parts:
            assert (told in page) is (other == permission), told


def test_money_that_went_back_is_for_those_who_may_see_it(sign_in, history):
    clerk = sign_in("clerk")
    clerk.user.user_permissions.set(Permission.objects.filter(codename="view_purchase"))
    assert [name for name, _ in rows_of(body(clerk))] == [
        name for name, _ in REVENUE if name.startswith(("Paid", "Purchases"))
    ]


@pytest.mark.parametrize("role", ["support", "finance", "administrators"])
def test_every_role_sees_all_that_it_may_follow(sign_in, history, role):
    client = sign_in(role)
    page = body(client)
    for url in {html.unescape(url) for url in re.findall(r'href="(/admin/[^"]*)"', page)}:
        assert client.get(url).status_code == 200, url


def body(client) -> str:
    """The page without the sidebar."""
    page = client.get("/admin/")
    assert page.status_code == 200
    return page.text.partition('id="content-main"')[2]

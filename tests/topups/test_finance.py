"""Finance's months over HTTP: what the pages and files say, to whom, and how a month is closed."""

import csv
import io
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from bookkeeping import (
    ACTION,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    dispute_at,
    refund_at,
    roll_up,
    sell_at,
    tell_the_example,
)
from buying import text
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from credits import ledger
from credits.ledger import audit
from credits.models import Organization, User
from topups import closing, finance, month_totals, reversals, tasks, top_up_months
from topups.models import ClosedMonth, MoneyBack, MonthTotal, MonthTotalsMark, Purchase

SCREEN = "/admin/topups/monthtotal/"
NOVEMBER_PAGE = f"{SCREEN}month/2026-11/"
PAGES = (SCREEN, NOVEMBER_PAGE, f"{NOVEMBER_PAGE}top-ups.csv", f"{SCREEN}months.csv")
FREE = f"{SCREEN}free-credits.csv"


@pytest.fixture
def fay(sign_in):
    """A member of staff in the group finance, in the admin."""
    return sign_in("finance")


@pytest.fixture
def example(db) -> Purchase:
    return tell_the_example()


def rows_of(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def line_of(page, title: str) -> str:
    """A line of a page's tables, as it reads."""
    lines = (text_of(row) for row in re.findall(r"<tr.*?</tr>", page.text, re.DOTALL))
    return next(line for line in lines if line.startswith(title))


def text_of(fragment: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", fragment).split())


# --- What the pages say -----------------------------------------------------------------------


def test_the_screen_tells_each_month_latest_first(fay, example):
    page = fay.get(SCREEN)
    assert "As of 2026-12-01 02:00 UTC" in text(page)
    assert line_of(page, "Nov 2026").startswith(
        "Nov 2026 Open 6.66 200 0.00 0 -3.33 -100 0.00 0 -3.33 -100 0.00 0 0.00 0"
    )
    assert line_of(page, "Oct 2026").startswith(
        "Oct 2026 Open 0.00 0 +10.00 +300 -3.34 -100 0.00 0 0.00 0 0.00 0 6.66 200"
    )
    assert page.text.index("Dec 2026") < page.text.index("Nov 2026") < page.text.index("Oct 2026")
    assert "Running" in line_of(page, "Dec 2026")


def test_a_month_tells_what_counts_in_each_line(fay, example):
    page = fay.get(NOVEMBER_PAGE)
    assert line_of(page, "Opening").startswith("Opening 200 6.66")
    assert line_of(page, "Recognized as used").startswith("Recognized as used -100 -3.33")
    assert line_of(page, "Refunded").startswith("Refunded -100 -3.33")
    assert line_of(page, "Closing").startswith("Closing 0 0.00")
    assert line_of(page, "Money back").startswith("Money back 5.95")
    assert line_of(page, "… tax in it").startswith("… tax in it -0.95")
    assert line_of(page, "… from deferred").startswith("… from deferred -3.33")
    assert line_of(page, "Revenue reversed").startswith("Revenue reversed 1.67")
    assert line_of(page, "Revenue 1").startswith("Revenue 1.66")
    october = fay.get(f"{SCREEN}month/2026-10/")
    for line in ("List price 12.00", "Discount -2.00", "Tax 1.90", "Paid 11.90"):
        assert line_of(october, line)
    assert "Acme" in line_of(october, "Acme $0.0333")


def test_the_guide_has_the_numbers_of_the_example(fay, example):
    guide = (Path(settings.BASE_DIR) / "docs" / "finance.md").read_text()
    rows = rows_of(fay.get(f"{SCREEN}months.csv"))
    for row in rows[:2]:
        names = ("opening", "sold", "recognized", "refunded", "closing", "reversed", "revenue")
        line = f"| {row['month']} | " + " | ".join(row[name] for name in names) + " |"
        assert line in guide


def test_holds_and_disputes_stay_deferred_and_are_told(fay, db):
    acme = Organization.objects.create(name="Acme", weekly_credits=0)
    purchase = sell_at(NOVEMBER, acme)
    ledger.hold(acme, ACTION, quantity=60, expires_in_seconds=86_400, now=NOVEMBER)
    dispute_at(NOVEMBER, purchase, 1_19)
    roll_up(DECEMBER)
    last = finance.months("usd")[-1]
    assert last.closing == (300, 10_00)
    assert (last.held, last.frozen) == ((60, 2_00), (30, 1_00))
    assert "2.00 on hold" in text(fay.get(SCREEN))


def test_weekly_and_promotional_credits_stand_apart(fay, db):
    acme = Organization.objects.create(name="Acme", weekly_credits=50)
    staff = User.objects.get(email="finance@credits.test")
    ledger.adjust(acme, 40, reason="Welcome", actor=staff, now=NOVEMBER)
    ledger.spend(acme, ACTION, quantity=60, now=NOVEMBER)
    ledger.adjust(acme, -5, reason="Too many", actor=staff, now=NOVEMBER)
    ledger.spend(acme, ACTION, quantity=50, now=NOVEMBER + timedelta(days=7))
    roll_up(DECEMBER)
    november = {row["kind"]: row for row in rows_of(fay.get(FREE)) if row["month"] == "2026-11"}
    names = ("opening", "granted", "used", "lapsed", "adjusted", "closing")
    assert [november["weekly"][name] for name in names] == ["0", "100", "100", "0", "0", "0"]
    assert [november["staff"][name] for name in names] == ["0", "40", "10", "0", "5", "25"]
    assert "Weekly 0 +100 -100" in text(fay.get(SCREEN))
    assert "Nothing was sold yet" in text(fay.get(SCREEN))


def test_a_free_top_up_is_worth_nothing(fay, db):
    acme = Organization.objects.create(name="Acme", weekly_credits=0)
    sell_at(NOVEMBER, acme, discount_minor=12_00, tax_minor=0)
    ledger.spend(acme, ACTION, quantity=299, now=NOVEMBER)
    roll_up(DECEMBER)
    (row, _) = rows_of(fay.get(f"{SCREEN}months.csv"))
    assert (row["sold_credits"], row["sold"], row["recognized"]) == ("300", "0.00", "0.00")
    assert (row["closing_credits"], row["closing_minor"]) == ("1", "0")


@pytest.mark.parametrize(("currency", "told"), [("jpy", "334"), ("usd", "3.34"), ("kwd", "0.334")])
def test_each_currency_has_its_decimals(fay, db, currency, told):
    acme = Organization.objects.create(name="Acme", weekly_credits=0)
    sell_at(NOVEMBER, acme, currency=currency)
    ledger.spend(acme, ACTION, quantity=100, now=NOVEMBER)
    roll_up(NOVEMBER)
    assert f"-{told}" in text(fay.get(SCREEN, {"currency": currency}))
    (row,) = rows_of(fay.get(f"{SCREEN}months.csv", {"currency": currency}))
    assert (row["recognized"], row["recognized_minor"]) == (told, "334")


def test_money_for_credits_that_come_home_later_evens_out(fay, db):
    acme = Organization.objects.create(name="Acme", weekly_credits=0)
    purchase = sell_at(OCTOBER, acme)
    spend = ledger.spend(acme, ACTION, quantity=300, now=OCTOBER)
    refund_at(OCTOBER, purchase, 11_90)
    ledger.refund(acme.spends.get(pk=spend.id), now=NOVEMBER)
    roll_up(NOVEMBER)
    october, november = finance.months("usd")
    assert (october.total.recognized_minor, october.reversed_minor) == (10_00, 10_00)
    assert (november.total.recognized_minor, november.reversed_minor) == (-10_00, -10_00)
    assert (october.revenue_minor, november.revenue_minor) == (0, 0)
    assert november.closing == (0, 0)


# --- Files --------------------------------------------------------------------------------------


def test_the_file_of_top_ups_adds_up_and_has_those_that_did_not_move(fay, example, monkeypatch):
    monkeypatch.setattr(top_up_months, "ROWS_PER_CHUNK", 2)
    birch = Organization.objects.create(name="=Birch", weekly_credits=0)
    for _ in range(4):
        sell_at(OCTOBER, birch, credits=7, tax_minor=0)
    roll_up(DECEMBER)
    rows = rows_of(fay.get(f"{NOVEMBER_PAGE}top-ups.csv"))
    assert len(rows) == 5
    november = finance.months("usd")[1]
    assert sum(int(row["closing_minor"]) for row in rows) == november.closing.minor
    assert sum(int(row["opening_credits"]) for row in rows) == november.opening.credits
    moved, still = rows[0], rows[1]
    assert (moved["purchase_id"], moved["net"]) == (str(example.pk), "10.00")
    assert moved["stripe_payment_intent_id"] == example.stripe_payment_intent_id
    assert moved["paid_at"] == "2026-10-12T09:00:00Z"
    assert moved["cost_basis_per_credit"] == "0.0333333333"
    assert (still["organization_name"], still["opening"], still["closing"]) == (
        "'=Birch",
        "10.00",
        "10.00",
    )
    assert rows_of(fay.get(f"{SCREEN}month/2026-12/top-ups.csv"))[0]["organization_name"] != "Acme"


def test_the_file_of_a_month_without_sales_in_the_first_currency_is_there(fay, db):
    acme = Organization.objects.create(name="Acme", weekly_credits=0)
    sell_at(OCTOBER, acme, credits=7, currency="eur")
    sell_at(NOVEMBER, acme, credits=7, currency="usd")
    roll_up(DECEMBER)
    (row,) = rows_of(fay.get(f"{SCREEN}month/2026-10/top-ups.csv"))
    assert row["currency"] == "eur"


def test_the_list_of_top_ups_goes_on(fay, example, monkeypatch):
    monkeypatch.setattr("topups.admin.finance.TOP_UPS_SHOWN", 1)
    sell_at(NOVEMBER, example.organization, credits=77)
    roll_up(DECEMBER)
    first = fay.get(NOVEMBER_PAGE)
    after = re.search(r"after=([0-9a-f-]+)#", first.text)[1]
    second = fay.get(NOVEMBER_PAGE, {"after": after})
    assert "Next top-ups" in first.text
    assert "Next top-ups" not in second.text
    assert line_of(second, "Acme").startswith("Acme $0.1299")


# --- Who may, and what was asked wrongly --------------------------------------------------------


@pytest.mark.parametrize("role", ["finance", "administrators"])
def test_finance_and_administrators_see_it(sign_in, example, role):
    client = sign_in(role)
    assert [client.get(page).status_code for page in (*PAGES, FREE)] == [200] * 5
    assert SCREEN in client.get("/admin/").text


@pytest.mark.parametrize("role", ["support", "nobody"])
def test_others_do_not(sign_in, example, role):
    client = sign_in(role)
    close = f"{NOVEMBER_PAGE}close/"
    total = MonthTotal.objects.first()
    asked = (*PAGES, FREE, close, f"{SCREEN}{total.pk}/change/")
    assert [client.get(page).status_code for page in asked] == [403] * 7
    assert client.post(close).status_code == 403
    assert SCREEN not in client.get("/admin/").text
    assert not ClosedMonth.objects.exists()


def test_strangers_are_asked_to_sign_in(client, example):
    for page in (*PAGES, FREE):
        assert client.get(page).headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"month": "13", "year": "2026"}, "Choose one of these: All months, January"),
        ({"currency": "xxx"}, "Choose one of these: USD."),
        ({"year": "1066"}, "Choose one of these: All years, 2026."),
        ({"year": "soon"}, "Choose one of these: All years, 2026."),
        ({"year": "", "month": "11"}, "Choose the year of this month too."),
        ({"currency": "\0"}, "Choose one of these: USD."),
    ],
)
@pytest.mark.parametrize("page", [SCREEN, NOVEMBER_PAGE, f"{SCREEN}months.csv"])
def test_what_cannot_be_chosen_is_told_in_its_field(fay, example, page, asked, told):
    answer = fay.get(page, asked)
    assert answer.status_code == 400
    assert told in text(answer)


@pytest.mark.parametrize(
    "path",
    [
        *("month/2026-13/", "month/soon/", "month/2019-01/", "month/2026-11/?after=1"),
        *("month/2026-13/top-ups.csv", "month/2026-13/close/", "99999/change/"),
    ],
)
def test_there_are_no_other_months(fay, example, path):
    assert fay.get(SCREEN + path).status_code == 404


def test_a_month_that_is_chosen_is_shown(fay, example):
    chosen = fay.get(SCREEN, {"currency": "usd", "year": "2026", "month": "10"})
    assert chosen.headers["Location"] == f"{SCREEN}month/2026-10/?currency=usd"


def test_nothing_sold_yet_is_said(fay):
    assert "Nothing was sold yet" in text(fay.get(SCREEN))
    assert "Not computed yet" in text(fay.get(SCREEN))
    assert fay.get(NOVEMBER_PAGE).status_code == 404
    assert rows_of(fay.get(f"{SCREEN}months.csv")) == rows_of(fay.get(FREE)) == []
    assert fay.get(f"{NOVEMBER_PAGE}top-ups.csv").status_code == 404


# --- Closing ------------------------------------------------------------------------------------


def test_a_month_is_closed_with_those_before_it(fay, example):
    assert "Close month" in text(fay.get(NOVEMBER_PAGE))
    question = text(fay.get(f"{NOVEMBER_PAGE}close/"))
    assert "October 2026 in USD: 6.66 deferred for 200 credits, 3.34 revenue" in question
    assert "November 2026 in USD: 0.00 deferred for 0 credits, 1.66 revenue" in question
    assert not ClosedMonth.objects.exists()
    answer = fay.post(f"{NOVEMBER_PAGE}close/", follow=True)
    assert "Closed November 2026" in text(answer)
    assert "finance@credits.test" in text(answer)
    closed = ClosedMonth.objects.values_list("closing_minor", "money_back_minor", "closed_by")
    assert list(closed) == [(0, 5_95, fay.user.pk), (6_66, 0, fay.user.pk)]
    assert LogEntry.objects.filter(change_message__contains="6.66 deferred").exists()
    again = text(fay.post(f"{NOVEMBER_PAGE}close/", follow=True))
    assert "There is nothing to close" in again
    states = [row["state"] for row in rows_of(fay.get(f"{SCREEN}months.csv"))]
    assert states == ["closed", "closed", "open"]


def test_a_month_that_is_not_over_is_not_closed(fay, example):
    page = f"{SCREEN}month/2026-12/"
    assert "Close month" not in text(fay.get(page))
    told = "December 2026 can be closed two hours after its end, once all of it is in the totals."
    assert told in text(fay.get(f"{page}close/", follow=True))
    assert told in text(fay.post(f"{page}close/", follow=True))
    assert not ClosedMonth.objects.exists()


def test_a_month_is_not_closed_while_somebody_may_still_write_into_it(fay, example):
    MonthTotalsMark.objects.update(as_of=DECEMBER - timedelta(seconds=1))
    assert "Close month" not in text(fay.get(NOVEMBER_PAGE))
    refused = text(fay.post(f"{NOVEMBER_PAGE}close/", follow=True))
    assert "November 2026 can be closed two hours after its end" in refused
    assert not ClosedMonth.objects.exists()


def test_administrators_close_and_readers_do_not(sign_in, example):
    reader = sign_in("reader")
    reader.user.user_permissions.set(Permission.objects.filter(codename="view_monthtotal"))
    assert "Close month" not in text(reader.get(NOVEMBER_PAGE))
    assert reader.post(f"{NOVEMBER_PAGE}close/").status_code == 403
    sign_in("administrators").post(f"{NOVEMBER_PAGE}close/")
    assert ClosedMonth.objects.count() == 2


def test_a_closed_month_that_differs_is_told_and_found(fay, example):
    fay.post(f"{NOVEMBER_PAGE}close/")
    assert list(audit.findings()) == []
    MonthTotal.objects.filter(month=date(2026, 10, 1)).update(recognized_minor=3_35)
    told = "October 2026 has other figures than when it was closed"
    assert told in text(fay.get(SCREEN))
    assert "recognized minor was 334 and is 335" in text(fay.get(f"{SCREEN}month/2026-10/"))
    checks = {finding.split(":")[0] for finding in audit.findings()}
    assert checks == {"closed months", "deferred"}


def test_what_was_closed_or_went_back_never_changes(fay, example):
    fay.post(f"{NOVEMBER_PAGE}close/")
    for rows in (ClosedMonth.objects.all(), MoneyBack.objects.all()):
        for change in (lambda rows: rows.update(currency="eur"), lambda rows: rows.delete()):
            with (
                pytest.raises(ProgrammingError, match="Cannot update or delete"),
                transaction.atomic(),
            ):
                change(rows)


def test_late_news_goes_into_the_open_month(fay, example):
    fact = refund_at(NOVEMBER, example, 1_00)
    roll_up(DECEMBER)
    fay.post(f"{NOVEMBER_PAGE}close/")
    failed = replace(fact, status="failed", as_of=NOVEMBER + timedelta(seconds=5))
    reversals.apply_refund(example.pk, failed, now=DECEMBER)
    roll_up(DECEMBER)
    _, november, december = finance.months("usd")
    assert november.differences() == []
    assert (november.returned.amount_minor, december.returned.amount_minor) == (6_95, -1_00)
    assert list(audit.findings()) == []


# --- Keeping the totals -------------------------------------------------------------------------


def test_money_that_went_back_under_another_release_is_made_up_for(example):
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM topups_moneyback")
        cursor.execute("SET session_replication_role = DEFAULT")
    (finding,) = audit.findings()
    assert finding == f"money back: purchase {example.pk}: 595 went back, its lines say 0"
    tasks.roll_up_months()
    tasks.roll_up_months()
    line = MoneyBack.objects.get()
    assert (line.amount_minor, line.tax_minor, line.currency) == (5_95, 95, "usd")
    assert list(audit.findings()) == []


@pytest.mark.parametrize(
    "change", ["recognized_minor = recognized_minor + 1", "lapsed_credits = lapsed_credits - 1"]
)
def test_the_ledger_check_finds_a_wrong_month(example, change):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE topups_monthtotal SET {change} WHERE month = '2026-11-01'")
    (finding,) = audit.findings()
    assert finding.startswith("deferred: 2026-11-01 in usd")


def test_only_months_with_new_entries_are_computed(example):
    assert month_totals.roll_up() == 0
    ledger.adjust(
        example.organization,
        5,
        reason="Welcome",
        actor=User.objects.get(),
        now=DECEMBER,
    )
    MonthTotal.objects.update(sales=9)
    roll_up(DECEMBER)
    assert set(MonthTotal.objects.values_list("sales", flat=True)) == {9}
    sell_at(DECEMBER, example.organization)
    roll_up(DECEMBER)
    assert MonthTotal.objects.get(month=date(2026, 12, 1)).sales == 1


def test_two_who_compute_and_close_at_once_do_it_once(committed_db):
    tell_the_example()
    staff = User.objects.create_user("fay@example.com", is_staff=True)
    results: list[object] = []
    together = Barrier(4, timeout=30)

    def work(number: int) -> None:
        try:
            together.wait()
            if number % 2:
                month_totals.roll_up()
            else:
                closed = closing.close(date(2026, 11, 1), actor=staff, now=DECEMBER)
                results.append(len(closed))
        except closing.NotClosable as error:
            results.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(type, results), key=str) == sorted([int, closing.NotClosable], key=str)
    assert ClosedMonth.objects.count() == 2


@pytest.mark.parametrize(
    "month",
    [
        "9999-12",
        "9999-11",
        "2020-01",
        "2026-1",
        "2026-13",
        "0001-01",
        "0000-01",
        "\uff12\uff10\uff12\uff16-11",
    ],
)
def test_a_month_of_nothing_has_no_page_no_file_and_no_close(admin, example, month):
    page = f"{SCREEN}month/{month}/"
    assert admin.get(page).status_code == admin.get(f"{page}top-ups.csv").status_code == 404
    for ask in (admin.get, admin.post):
        assert ask(f"{page}close/", follow=True).status_code == 404


def test_the_page_of_a_month_leads_to_its_file(admin, example):
    page = admin.get(NOVEMBER_PAGE)
    address = re.search(r'href="([^"]*top-ups\.csv[^"]*)"', page.text)[1]
    assert rows_of(admin.get(address))

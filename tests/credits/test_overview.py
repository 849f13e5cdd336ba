"""The home page: what it tells an organization that may see its balance, and others."""

import csv
import io
import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credits import ledger, reports
from credits.charts import UsageChart, days_until
from credits.models import Action, Membership, Organization, Service, User
from tests.credits.support import MONDAY

NOON = MONDAY + timedelta(days=2, hours=12)
JUST_NOW = NOON - timedelta(minutes=1)
TODAY = NOON.date()
USAGE_PARTS = ('id="balance"', 'id="usage"', "<svg", 'id="spends"', "/spends/", "/usage.csv")


@pytest.fixture
def client(organization, set_clock) -> Client:
    """A member of the organization, on Wednesday at noon."""
    set_clock(NOON)
    user = User.objects.create_user("member@example.com")
    Membership.objects.create(organization=organization, user=user)
    client = Client()
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def visible(organization) -> Organization:
    organization.show_balance = True
    organization.save()
    ledger.adjust(organization, 10_000, reason="Start", actor=None, now=NOON - timedelta(days=200))
    return organization


def spend(organization, *, reference="", action="alt-text.generate", quantity=1, now=JUST_NOW):
    return ledger.spend(organization, action, quantity=quantity, reference=reference, now=now)


def words(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def references(response) -> list[str]:
    return re.findall(r'data-label="Reference">([^<]*)<', response.text)


def downloaded(client, first_day=TODAY, last_day=TODAY, **query):
    days = {"first_day": str(first_day), "last_day": str(last_day)}
    response = client.get("/usage.csv", {**days, **query})
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


# Who comes here


def test_the_home_page_is_for_people_who_sign_in(db):
    assert Client().get("/").url == "/accounts/login/?next=/"


def test_signing_in_leads_to_the_home_page(client):
    client.logout()
    client.user.set_password("a-calm-harbor-7")
    client.user.save()
    form = {"login": client.user.email, "password": "a-calm-harbor-7"}
    assert client.post("/accounts/login/", form).url == "/"


def test_who_belongs_to_no_organization_is_told_what_to_do(client):
    Membership.objects.all().delete()
    assert "You don’t belong to an organization" in client.get("/").text
    assert client.get("/spends/").status_code == 404
    assert client.get("/usage.csv").status_code == 404


def test_nobody_sees_another_organization(client, visible):
    other = Organization.objects.create(name="Other", show_balance=True)
    theirs = spend(other, reference="theirs")
    query = f"organization={other.public_id}"
    for path in (f"/?{query}", f"/spends/?{query}", f"/usage.csv?{query}"):
        assert client.get(path).status_code == 404
    assert client.get(f"/spends/?after={theirs.id}").status_code == 404
    assert references(client.get("/spends/?reference=theirs")) == []


def test_a_member_of_several_chooses_one_and_sees_its_own_spends_only(client, visible):
    second = Organization.objects.create(name="Zebra Lane", show_balance=True)
    Membership.objects.create(organization=second, user=client.user)
    spend(visible, reference="acme-1")
    spend(second, reference="zebra-1")
    assert references(client.get("/")) == ["acme-1"]
    assert references(client.get(f"/?organization={second.public_id}")) == ["zebra-1"]
    assert references(client.get("/spends/")) == ["zebra-1"]


# Where balance and usage are not shown


@pytest.mark.parametrize("query", ["", "?days=7", "?reference=order-1", "?days=7&after=1"])
def test_hidden_usage_is_nowhere_on_the_page(client, organization, query):
    before = client.get(f"/{query}")
    spend(organization, quantity=37, reference="order-1")
    ledger.spend(organization, "alt-text.generate", quantity=12, now=NOON)
    after = client.get(f"/{query}")
    # Not even a comma tells an organization with one credit from one with all of them.
    token = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert token.sub("", before.text) == token.sub("", after.text)
    assert not [part for part in USAGE_PARTS if part in after.text]
    text = words(after)
    assert "Acme" in text
    assert "Next free credits 50 Monday 00:00 UTC" in text
    assert f'href="/top-up/?organization={organization.public_id}"' in after.text


def test_hidden_usage_is_not_at_other_addresses(client, organization):
    made = spend(organization, reference="order-1")
    for path in (
        "/spends/",
        "/spends/?reference=order-1",
        f"/spends/?after={made.id}",
        f"/usage.csv?first_day={TODAY}&last_day={TODAY}",
        "/usage.csv?first_day=nonsense",
    ):
        assert client.get(path).status_code == 404


def test_a_choice_of_what_is_shown_opens_nothing_that_is_hidden(client, visible):
    hidden = Organization.objects.create(name="Hidden")
    Membership.objects.create(organization=hidden, user=client.user)
    spend(hidden, reference="secret")
    for path in ("/spends/", "/usage.csv"):
        query = f"?organization={hidden.public_id}&first_day={TODAY}&last_day={TODAY}"
        assert client.get(path + query).status_code == 404
    page = client.get(f"/spends/?organization={visible.public_id}")
    assert hidden.public_id not in page.text


def test_owners_are_led_to_their_keys(client, organization):
    assert "/keys/" not in client.get("/").text
    Membership.objects.update(role=Membership.Role.OWNER)
    assert f'href="/keys/?organization={organization.public_id}"' in client.get("/").text


# Where they are


def test_the_balance_is_told_by_kind_and_when_the_weekly_part_lapses(client, visible):
    spend(visible, quantity=8)
    text = words(client.get("/"))
    assert "Balance 10,042 Weekly lapse Monday 00:00 UTC 42 Bought 0 Given 10,000" in text


def test_the_next_free_credits_are_told(client, visible):
    assert "Next free credits 50 Monday 00:00 UTC" in words(client.get("/"))
    Organization.objects.update(weekly_credits=0)
    assert "No free credits each week" in words(client.get("/"))


def test_without_spends_the_page_says_what_to_do(client, visible, settings):
    settings.PLAYGROUND = False
    text = client.get("/").text
    assert "No spends yet" in text
    assert 'href="/docs/api/"' in text
    assert "/playground/" not in text
    settings.PLAYGROUND = True
    assert "Try the playground" in client.get("/").text


def test_usage_is_told_by_day_and_service_without_what_was_given_back(client, visible):
    spend(visible, quantity=99, now=MONDAY - timedelta(days=40))
    spend(visible, quantity=40, now=NOON - timedelta(days=29))
    given_back = spend(visible, quantity=5)
    ledger.refund(visible.spends.get(pk=given_back.id), credits=2, now=NOON)
    ledger.hold(visible, "background.remove", quantity=9, now=NOON)
    spend(visible, action="background.remove", quantity=1)
    price = Action.objects.get(code="background.remove").credits
    page = client.get("/")
    text = words(page)
    assert f"Nov 25, 2026 3 {price} {3 + price} Oct 27, 2026 40 0 40" in text
    assert f"Total 43 {price} {43 + price}" in text
    assert f"Wednesday, Nov 25: {counted(3 + price)}" in page.text
    assert f"Total 142 {price}" in words(client.get("/?days=90"))
    assert f"Total 3 {price}" in words(client.get("/?days=7"))


def counted(credits: int) -> str:
    return f"{credits} credits"


def test_a_day_is_one_in_utc(client, visible):
    for minutes in (-1, 0):
        spend(visible, now=MONDAY + timedelta(minutes=minutes))
    usage = reports.daily_usage(visible, first=TODAY - timedelta(days=3), last=TODAY)
    [by_day] = usage.values()
    assert by_day == {date(2026, 11, 22): 1, date(2026, 11, 23): 1}


@pytest.mark.parametrize("days", ["8", "x", "-7", ""])
def test_an_unknown_period_is_not_found(client, visible, days):
    assert client.get(f"/?days={days}").status_code == 404


def test_each_spend_tells_what_it_cost_and_what_became_of_it(client, visible):
    part = spend(visible, quantity=1_500)
    ledger.refund(visible.spends.get(pk=part.id), credits=500, now=NOON)
    held = ledger.hold(visible, "alt-text.generate", quantity=3, reference="<b>", now=NOON)
    held = visible.spends.get(pk=held.id)
    text = words(client.get("/"))
    assert "Spent 1,000 500 of 1,500 given back" in text
    assert "&lt;b&gt; Set aside 3" in text
    ledger.release(held, now=NOON)
    assert "Released 0 3 of 3 given back" in words(client.get("/"))


def older(response) -> str | None:
    link = re.search(r'href="([^"]*)">(?:Older|More)<', response.text)
    return link and link[1].replace("&amp;", "&")


def test_older_spends_follow_page_by_page_and_none_is_missed(client, visible):
    # A batch: all at one moment.
    batch = [ledger.SpendItem(visible, "alt-text.generate", reference=f"b-{n}") for n in range(70)]
    ledger.spend_batch(batch, now=NOON - timedelta(days=1))
    for number in range(20):
        spend(visible, reference=f"s-{number}", now=NOON - timedelta(minutes=20 - number))
    page = client.get("/")
    seen = references(page)
    assert seen == [f"s-{number}" for number in range(19, 9, -1)]
    path = "/spends/"
    while link := older(page):
        page = client.get(link if link.startswith("/") else path + link)
        seen += references(page)
    assert len(seen) == len(set(seen)) == 90
    assert client.get("/spends/").text.count("Back to the start") == 0
    assert "Back to the start" in page.text


@pytest.mark.parametrize("after", ["", "x", "00000000-0000-0000-0000-000000000000", "\0"])
def test_a_page_after_no_spend_is_not_found(client, visible, after):
    assert client.get("/spends/", {"after": after}).status_code == 404


def test_search_finds_what_begins_so_with_exact_matches_first(client, visible):
    names = ("order-10", "order-1", "Order-1", "order-1", "order-2", "", "order-1 %", "border-1")
    for minutes, name in enumerate(names):
        spend(visible, reference=name, now=NOON + timedelta(minutes=minutes))
    found = references(client.get("/spends/", {"reference": " order-1 "}))
    assert found == ["order-1", "order-1", "order-1 %", "order-10"]
    assert references(client.get("/spends/", {"reference": "order-1 %"})) == ["order-1 %"]
    assert references(client.get("/spends/", {"reference": "order-1\0"})) != []


@pytest.mark.parametrize("text", ["order-_", "%", "x" * 5000, "'\"<script>", "é\U0001f600"])
def test_a_search_for_nothing_says_so(client, visible, text):
    spend(visible, reference="order-1")
    response = client.get("/spends/", {"reference": text})
    assert response.status_code == 200
    assert "No reference begins like this" in response.text
    assert "<script>" not in response.text


def test_search_pages_through_all_it_finds(client, visible):
    batch = [
        ledger.SpendItem(visible, "alt-text.generate", reference=f"order-{n % 3}")
        for n in range(120)
    ]
    ledger.spend_batch(batch, now=NOON)
    spend(visible, reference="other")
    page = client.get("/spends/", {"reference": "order-"})
    seen = references(page)
    ids = set()
    while link := older(page):
        assert link not in ids
        ids.add(link)
        page = client.get("/spends/" + link)
        seen += references(page)
    assert seen == ["order-0"] * 40 + ["order-1"] * 40 + ["order-2"] * 40


# CSV


def test_the_file_has_every_spend_of_the_days(client, visible):
    Organization.objects.update(name="Fern & Field")
    for now in (MONDAY - timedelta(microseconds=1), MONDAY, MONDAY + timedelta(days=1)):
        spend(visible, now=now)
    made = spend(visible, reference='a "b", c\nd', quantity=4, now=NOON - timedelta(hours=1))
    ledger.refund(visible.spends.get(pk=made.id), credits=3, now=NOON)
    response = client.get("/usage.csv?first_day=2026-11-23&last_day=2026-11-25")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = "fern-field-usage-2026-11-23-to-2026-11-25.csv"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "no-store" in response.headers["Cache-Control"]
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert [row["time"] for row in rows] == [
        "2026-11-23T00:00:00.000000Z",
        "2026-11-24T00:00:00.000000Z",
        "2026-11-25T11:00:00.000000Z",
    ]
    assert rows[-1] == {
        "time": "2026-11-25T11:00:00.000000Z",
        "service": "Image alt text",
        "action": "alt-text.generate",
        "quantity": "4",
        "credits": "4",
        "refunded": "3",
        "status": "spent",
        "reference": 'a "b", c\nd',
        "spend_id": str(made.id),
    }


@pytest.mark.parametrize("start", list("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20"))
def test_no_cell_is_a_formula_and_none_loses_its_text(client, visible, start):
    reference = f'{start}HYPERLINK("https://evil.example";"x")'
    spend(visible, reference=reference)
    spend(visible, reference="plain-5")
    first, second = (row["reference"] for row in downloaded(client))
    assert first == f"'{reference}"
    assert second == "plain-5"


def test_a_file_of_many_chunks_has_each_spend_once(client, visible, monkeypatch):
    monkeypatch.setattr(reports, "SPENDS_PER_CHUNK", 3)
    for day in (2, 1):
        batch = [ledger.SpendItem(visible, "alt-text.generate", reference=f"{day}")] * 4
        ledger.spend_batch(batch, now=NOON - timedelta(days=day))
    rows = downloaded(client, first_day=TODAY - timedelta(days=30))
    assert [row["reference"] for row in rows] == ["2"] * 4 + ["1"] * 4
    assert len({row["spend_id"] for row in rows}) == 8


def test_the_file_is_read_while_it_is_sent(client, visible, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(reports, "SPENDS_PER_CHUNK", 2)
    for _ in range(6):
        spend(visible)
    response = client.get(f"/usage.csv?first_day={TODAY}&last_day={TODAY}")
    assert response.streaming
    parts = iter(response)
    assert b"spend_id" in next(parts)
    # A transaction of its own around each.
    with django_assert_num_queries(4):
        assert next(parts).count(b"\r\n") == 2


@pytest.mark.parametrize(
    ("first_day", "last_day", "message"),
    [
        ("", "", "This field is required"),
        ("2026-11-25", "soon", "Enter a valid date"),
        ("2026-11-25", "2026-11-24", "not after the last, 366 days at most"),
        ("2025-11-24", "2026-11-25", "not after the last, 366 days at most"),
        ("2026-11-25", "2026-11-26", "Choose today or a day before"),
        ("2026-11-25", "9999-12-31", "Choose today or a day before"),
        ("0001-01-01", "2026-11-25", "366 days at most"),
        ("2026\0", "2026-11-25", "Enter a valid date"),
    ],
)
def test_wrong_days_are_told_in_the_form(client, visible, first_day, last_day, message):
    days = {"first_day": first_day, "last_day": last_day}
    response = client.get("/usage.csv", days)
    assert response.status_code == 400
    assert message in response.text
    assert f'value="{visible.public_id}"' in response.text


def test_a_name_that_no_file_can_have_gives_way_to_the_id(client, visible):
    Organization.objects.update(name="../ \r\n")
    response = client.get(f"/usage.csv?first_day={TODAY}&last_day={TODAY}")
    assert f"{visible.public_id}-usage-{TODAY}-to-{TODAY}.csv" in response["Content-Disposition"]


# The chart's measures


def chart_of(*amounts: int) -> UsageChart:
    usage = {
        Service(pk=number, name=f"Service {number}"): {TODAY: amount}
        for number, amount in enumerate(amounts, 1)
    }
    return UsageChart(usage, days_until(TODAY, 7))


@pytest.mark.parametrize("most", [1, 5, 6, 9, 10, 11, 99, 230, 1_000, 123_456, 10**12 + 1])
def test_the_axis_has_few_round_numbers_and_holds_every_bar(most):
    chart = chart_of(most)
    assert 2 <= len(chart.marks) <= 6
    assert chart.marks[-1] == 0
    assert most <= chart.top < 2 * most + 1
    [segment] = chart.days[-1].segments
    assert float(segment.y) >= 0


def test_many_services_become_six_and_the_others():
    chart = chart_of(1, 5, 9, 3, 2, 7, 8, 4)
    assert [series.name for series in chart.series] == [
        "Service 2",
        "Service 3",
        "Service 4",
        "Service 6",
        "Service 7",
        "Service 8",
        "Other services",
    ]
    assert len({series.color for series in chart.series}) == 7
    assert chart.total == 39


def test_a_service_has_one_color_in_every_period():
    services = [Service(pk=number, name=str(number)) for number in range(1, 5)]
    usage = {service: {TODAY: 1} for service in services}
    days = days_until(TODAY, 7)
    alone = UsageChart({services[2]: {TODAY: 1}}, days).series[0]
    assert alone.color == UsageChart(usage, days).series[2].color


def test_no_query_is_planned_for_an_organization_of_the_usual_size(client, visible):
    """With millions of spends such a plan takes seconds; PostgreSQL thinks of one at the sixth."""
    last = spend(visible, reference="order-1")
    days = f"first_day={TODAY}&last_day={TODAY}"
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    connection.connection._prepared.clear()
    for path in ("/", "/spends/", f"/spends/?after={last.id}", f"/usage.csv?{days}"):
        for _ in range(12):
            list(client.get(path))
    for _ in range(12):
        client.get(f"/spends/?reference=order&after={last.id}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE generic_plans > 0")
        planned = [statement for (statement,) in cursor if 'FROM "credits_spend"' in statement]
    assert [statement for statement in planned if "ORDER BY" in statement] == []


def test_the_page_asks_the_database_no_more_for_many_spends(client, visible):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/").status_code == 200
        return len(asked)

    spend(visible)
    asked_for_one = queries()
    for action in Action.objects.all():
        ledger.spend_batch([ledger.SpendItem(visible, action.code)] * 30, now=JUST_NOW)
    assert queries() == asked_for_one

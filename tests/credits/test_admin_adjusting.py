"""Adjusting one organization's credits: the form, the preview, the confirmation, the list."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import ledger
from credits.ledger import audit
from credits.models import Adjustment, Entry, Grant, Organization

pytestmark = pytest.mark.django_db

LIST = "/admin/credits/adjustment/"
OTHER_TAKING = "The credits have changed since the preview"


def adjust_url(organization: Organization) -> str:
    return reverse("admin:credits_organization_adjust", args=[organization.pk])


def page_of(organization: Organization) -> str:
    return f"/admin/credits/organization/{organization.pk}/change/"


def adjustment(**changes):
    form = {
        "credits": "100",
        "reason": "goodwill",
        "text": "Welcome",
        "ticket": "",
        "expires_at_0": "",
        "expires_at_1": "",
        "adjustment_id": str(uuid4()),
    }
    return {**form, **changes}


def preview(client: Client, organization: Organization, **changes):
    return client.post(adjust_url(organization), adjustment(**changes))


def confirmed(form: dict, shown) -> dict:
    """The form as the preview page sends it on."""
    taking = shown.context["preview"].foreseen.taking
    return {**form, "shown_taking": taking, "confirmed": "yes"}


def adjust(client: Client, organization: Organization, form: dict | None = None, **changes):
    form = {**(form or adjustment()), **changes}
    shown = client.post(adjust_url(organization), form)
    if "preview" not in shown.context:
        return shown
    return client.post(adjust_url(organization), confirmed(form, shown), follow=True)


def available(organization: Organization) -> int:
    return ledger.balance(organization, now=timezone.now()).total


def given(organization: Organization, credits: int = 100, **fields) -> None:
    now = timezone.now()
    ledger.adjust(organization, credits, reason="Gift", actor=None, now=now, **fields)


def nothing_happened(organization: Organization) -> bool:
    adjusted = Entry.objects.exclude(kind="grant", grant__kind="weekly")
    return not (adjusted.exists() or Adjustment.objects.exists() or LogEntry.objects.exists())


# --- The preview ------------------------------------------------------------------------------


def shown_grants(response) -> list[list[str]]:
    """The cells of the preview's table, as text without tags."""
    rows = response.context["preview"].grants["rows"]
    return [[_text(str(cell)) for cell in row] for row in rows]


def _text(html: str) -> str:
    return " ".join(part.rpartition(">")[2] for part in html.split("<")).strip()


def test_the_preview_says_what_changes_and_changes_nothing(admin, organization):
    response = preview(admin, organization, credits="120", text="Sorry for Friday")
    assert (response.context["preview"].foreseen.before) == 50
    assert (response.context["preview"].foreseen.after) == 170
    assert "Give 120 credits" in response.text
    assert "Sorry for Friday" in response.text
    assert available(organization) == 50
    assert nothing_happened(organization)
    assert not Entry.objects.exists()
    assert list(audit.findings()) == []


def test_the_preview_puts_the_new_grant_at_its_place_in_burn_down_order(admin, organization):
    given(organization, 30)
    page = preview(admin, organization, expires_at_0="2999-01-31", expires_at_1="00:00:00")
    assert "Jan 31, 2999, 00:00:00 UTC</dd>" in page.text
    rows = shown_grants(page)
    assert [row[1] for row in rows] == ["Weekly bundle", "New grant", "Staff adjustment"]
    assert [(row[0], row[4], row[5]) for row in rows] == [
        ("1.", "stays", "50"),
        ("2.", "+100", "100"),
        ("3.", "stays", "30"),
    ]
    assert "2999" in rows[1][2]
    assert rows[2][2] == "Never"


def test_the_preview_says_which_grants_give_how_much(admin, organization):
    given(organization, 30)
    rows = shown_grants(preview(admin, organization, credits="-60"))
    assert [row[3:] for row in rows] == [["50", "-50", "0"], ["30", "-10", "20"]]


def test_of_many_grants_that_stay_only_the_first_are_shown(admin, organization):
    for _ in range(25):
        given(organization, 1)
    response = preview(admin, organization, credits="5")
    assert len(response.context["preview"].grants["rows"]) == 21
    assert "6 more grants stay as they are" in response.text


def test_the_preview_leads_back_to_the_form_as_it_was_filled_in(admin, organization):
    response = preview(admin, organization, credits="77", change="yes")
    assert response.context["form"]["credits"].value() == "77"
    assert "preview" not in response.context


def test_a_preview_takes_as_many_queries_for_many_grants_as_for_few(
    admin, organization, django_assert_max_num_queries
):
    for _ in range(40):
        given(organization, 1)
    with django_assert_max_num_queries(40):
        preview(admin, organization, credits="5")


# --- Confirming -------------------------------------------------------------------------------


def test_an_addition_makes_a_staff_grant_and_is_recorded_with_actor_and_reason(admin, organization):
    response = adjust(admin, organization, text="Ticket 4711")
    assert response.redirect_chain == [(page_of(organization), 302)]
    assert "Gave 100 credits. Acme now has 150." in response.text
    grant = Grant.objects.get(kind="staff")
    entry = Entry.objects.get(grant=grant)
    log = LogEntry.objects.get()
    assert (grant.amount, grant.expires_at) == (100, None)
    assert (entry.credits, entry.actor, entry.reason) == (
        100,
        admin.user,
        "Goodwill: Ticket 4711",
    )
    assert log.user == admin.user
    assert log.get_change_message() == "Adjusted credits by +100: Goodwill: Ticket 4711"
    assert log.object_id == str(organization.pk)


def test_an_adjustment_is_kept_with_all_that_was_said(admin, organization):
    later = (timezone.now() + timedelta(days=90)).replace(microsecond=0)
    ticket = "https://tickets.example.com/4711"
    adjust(
        admin,
        organization,
        reason="outage",
        ticket=ticket,
        expires_at_0=f"{later:%Y-%m-%d}",
        expires_at_1=f"{later:%H:%M:%S}",
    )
    kept = Adjustment.objects.get()
    assert (kept.organization, kept.credits, kept.actor) == (organization, 100, admin.user)
    assert (kept.reason, kept.text, kept.ticket) == ("outage", "Welcome", ticket)
    assert kept.expires_at == Grant.objects.get(kind="staff").expires_at == later
    assert kept.pk == Entry.objects.get(grant__kind="staff").adjustment_id
    assert kept.bulk_row is None


def test_a_reason_from_the_list_needs_no_words_and_another_one_does(admin, organization):
    adjust(admin, organization, reason="promotion", text="")
    assert Entry.objects.get(grant__kind="staff").reason == "Promotion"
    response = adjust(admin, organization, reason="other", text=" ")
    assert "Say why, as the reason is another one." in response.text
    assert available(organization) == 150


def test_another_reason_is_told_in_its_words_alone(admin, organization):
    adjust(admin, organization, reason="other", text="Prize of the raffle")
    assert Entry.objects.get(grant__kind="staff").reason == "Prize of the raffle"


def test_a_deduction_takes_in_burn_down_order(admin, organization):
    given(organization)
    adjust(admin, organization, credits="-60", text="Given twice")
    by_kind = ledger.balance(organization, now=timezone.now()).by_kind
    assert by_kind == {"weekly": 0, "top_up": 0, "staff": 90}


PAST = {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}
FUTURE = {"expires_at_0": "2999-01-01", "expires_at_1": "00:00:00"}


@pytest.mark.parametrize("is_confirmed", [False, True])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"credits": "0"}, "0 does nothing"),
        ({"credits": ""}, "This field is required"),
        ({"credits": "ten"}, "Enter a whole number"),
        ({"credits": "1000000001"}, "less than or equal to 1000000000"),
        ({"credits": "-51"}, "At most 50 credits can be taken."),
        ({"reason": ""}, "This field is required"),
        ({"reason": "because"}, "Select a valid choice"),
        ({"text": "x" * 401}, "at most 400 characters"),
        ({"ticket": "x" * 301}, "at most 300 characters"),
        ({"ticket": "http://tickets.example.com/1"}, "A link begins with https://"),
        ({"ticket": "https://"}, "A link begins with https://"),
        ({"ticket": "javascript:alert(1)"}, "A link begins with https://"),
        ({"ticket": " JavaScript://x%0aalert(1)"}, "A link begins with https://"),
        ({"expires_at_0": "soon"}, "Enter a valid date"),
        (PAST, "This moment has passed"),
        ({"credits": "-5", **FUTURE}, "Only credits that are given can lapse"),
        ({"adjustment_id": "one"}, "lost its one-time id"),
        ({"text": "nul\0"}, "Null characters are not allowed"),
    ],
)
def test_a_wrong_adjustment_is_explained_and_changes_nothing(
    admin, organization, changes, told, is_confirmed
):
    if is_confirmed:
        changes = {**changes, "confirmed": "yes", "shown_taking": ""}
    response = preview(admin, organization, **changes)
    assert response.status_code == 200
    assert told in response.text
    assert available(organization) == 50
    assert nothing_happened(organization)


def test_a_form_sent_twice_adjusts_once(admin, organization):
    form = adjustment(credits="-20")
    sent = confirmed(form, preview(admin, organization, **form))
    admin.post(adjust_url(organization), sent)
    again = admin.post(adjust_url(organization), sent, follow=True)
    assert "nothing changed. Acme has 30." in again.text
    assert available(organization) == 30
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"credits": "7"},
        {"credits": "-20"},
        {"text": "Another"},
        {"reason": "contract"},
        {"ticket": "4711"},
        FUTURE,
    ],
)
def test_a_form_sent_again_with_other_values_is_not_said_to_be_done(admin, organization, changes):
    form = adjustment(credits="20")
    adjust(admin, organization, form)
    again = adjust(admin, organization, {**form, **changes})
    assert "used before, for another adjustment" in again.text
    assert available(organization) == 70
    assert LogEntry.objects.count() == 1


def test_a_form_of_one_organization_is_not_said_to_be_done_for_another(admin, organization):
    other, form = Organization.objects.create(name="Zeta", weekly_credits=50), adjustment()
    adjust(admin, organization, form)
    assert "used before, for another adjustment" in adjust(admin, other, form).text
    assert available(other) == 50


def test_a_form_that_lapses_sent_twice_gives_once(admin, organization):
    form = adjustment(**FUTURE)
    adjust(admin, organization, form)
    assert "nothing changed" in adjust(admin, organization, form).text
    assert available(organization) == 150


def test_an_adjustment_older_than_the_table_is_not_made_again(admin, organization):
    form = adjustment(reason="other", text="Long ago")
    given_before = {**form, "confirmed": "yes", "shown_taking": ""}
    ledger.grant(
        organization,
        100,
        kind=Grant.Kind.STAFF,
        now=timezone.now(),
        reason="Long ago",
        adjustment_id=form["adjustment_id"],
    )
    again = admin.post(adjust_url(organization), given_before, follow=True)
    assert "nothing changed" in again.text
    assert available(organization) == 150


def test_what_would_be_taken_otherwise_than_shown_is_shown_again_and_not_done(admin, organization):
    given(organization)
    form = adjustment(credits="-60")
    sent = confirmed(form, preview(admin, organization, **form))
    ledger.spend(organization, "alt-text.generate", quantity=20, now=timezone.now())
    shown = admin.post(adjust_url(organization), sent)
    assert OTHER_TAKING in shown.text
    assert [row[4] for row in shown_grants(shown)] == ["-30", "-30"]
    assert available(organization) == 130
    assert Adjustment.objects.filter(credits__lt=0).count() == 0
    assert not LogEntry.objects.exists()

    admin.post(adjust_url(organization), confirmed(form, shown))
    assert available(organization) == 70


def test_what_is_taken_as_shown_is_done_though_the_balance_changed(admin, organization):
    form = adjustment(credits="-20")
    sent = confirmed(form, preview(admin, organization, **form))
    given(organization)
    response = admin.post(adjust_url(organization), sent, follow=True)
    assert "Took 20 credits. Acme now has 130." in response.text


def test_credits_that_are_spent_before_the_confirmation_cannot_be_taken(admin, organization):
    form = adjustment(credits="-50")
    sent = confirmed(form, preview(admin, organization, **form))
    ledger.spend(organization, "alt-text.generate", quantity=20, now=timezone.now())
    response = admin.post(adjust_url(organization), sent)
    assert "At most 30 credits can be taken." in response.text
    assert available(organization) == 30


def test_nobody_confirms_what_no_preview_has_shown(admin, organization):
    for credits in ("-20", "20"):
        response = preview(admin, organization, credits=credits, confirmed="yes")
        assert OTHER_TAKING in response.text
    assert available(organization) == 50


def test_one_credit_is_told_in_the_singular(admin, organization):
    response = adjust(admin, organization, credits="1")
    assert "Gave 1 credit. Acme now has 51." in response.text


def test_each_form_carries_its_own_one_time_id(admin, organization):
    ids = {
        admin.get(adjust_url(organization)).context["form"]["adjustment_id"].value()
        for _ in range(2)
    }
    assert len(ids) == 2


def test_only_who_has_the_permission_sees_and_uses_the_page(organization, sign_in):
    finance, support = sign_in("finance"), sign_in("support")
    assert finance.get(adjust_url(organization)).status_code == 403
    assert preview(finance, organization).status_code == 403
    sent = {"confirmed": "yes", "shown_taking": ""}
    assert preview(finance, organization, **sent).status_code == 403
    assert "Adjust credits" not in finance.get(page_of(organization)).text
    assert available(organization) == 50
    assert "Adjust credits" in support.get(page_of(organization)).text
    adjust(support, organization)
    assert available(organization) == 150


def test_nobody_adjusts_without_signing_in(organization):
    response = Client().post(adjust_url(organization), adjustment())
    assert response.url.startswith(reverse("admin:login"))
    assert available(organization) == 50


# --- The list ---------------------------------------------------------------------------------


def listed(client: Client, **query: str) -> list[int]:
    return [row.credits for row in client.get(LIST, query).context["cl"].result_list]


def test_adjustments_are_found_by_reason_actor_organization_day_and_ticket(
    admin, organization, sign_in
):
    other = Organization.objects.create(name="Zeta")
    supporter = sign_in("support")
    adjust(admin, organization, credits="1", reason="contract", text="Year two")
    adjust(supporter, other, credits="2", ticket="T-4711")
    today = f"{timezone.now():%Y-%m-%d}"
    assert listed(admin) == [2, 1]
    assert listed(admin, reason__exact="contract") == [1]
    assert listed(admin, actor__id__exact=str(supporter.user.pk)) == [2]
    assert listed(admin, organization__id__exact=str(organization.pk)) == [1]
    assert listed(admin, created_at_from=today, created_at_to=today) == [2, 1]
    assert listed(admin, created_at_to="2020-01-01") == []
    assert listed(admin, q="Year") == []
    assert listed(admin, q="T-4711") == [2]
    assert listed(admin, q="Zeta") == listed(admin, q=other.public_id) == [2]
    assert listed(admin, q=str(Adjustment.objects.get(credits=1).pk)) == [1]


@pytest.mark.parametrize("list_url", [LIST, "/admin/credits/signin/"])
def test_no_address_sorts_long_lists_without_an_index(admin, organization, list_url):
    adjust(admin, organization, credits="1")
    ordered = admin.get(list_url).context["cl"].queryset.query.order_by
    for column in range(9):
        for sort in (f"{column}", f"-{column}"):
            asked = admin.get(list_url, {"o": sort}).context["cl"]
            assert asked.queryset.query.order_by in (ordered, ("-pk",))


def test_only_the_address_of_a_ticket_is_a_link(admin, organization):
    adjust(admin, organization, ticket='https://tickets.example.com/?q="><b>')
    adjust(admin, organization, ticket="T-4711<b>")
    page = admin.get(LIST).text
    assert 'href="https://tickets.example.com/?q=&quot;&gt;&lt;b&gt;"' in page
    assert page.count("tickets.example.com") == 2
    assert "T-4711&lt;b&gt;" in page
    assert "<b>" not in page


def test_the_page_of_an_adjustment_leads_to_its_entries(admin, organization):
    given(organization, 30)
    adjust(admin, organization, credits="-60")
    taken = Adjustment.objects.get(credits=-60)
    page = admin.get(f"{LIST}{taken.pk}/change/").text
    for entry in Entry.objects.filter(adjustment_id=taken.pk):
        assert f"/admin/credits/entry/{entry.pk}/change/" in page


def test_the_list_asks_the_database_as_often_for_forty_as_for_one(
    admin, organization, django_assert_max_num_queries
):
    for _ in range(40):
        given(organization, 1)
    listed(admin)  # A session's first visit writes when it was.
    with django_assert_max_num_queries(9):
        assert len(listed(admin)) == 40


@pytest.mark.parametrize("group", ["support", "finance", "administrators"])
def test_every_role_reads_adjustments_and_nobody_changes_one(sign_in, organization, group):
    given(organization)
    kept = Adjustment.objects.get()
    client = sign_in(group)
    assert client.get(LIST).status_code == 200
    assert client.get(f"{LIST}{kept.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{kept.pk}/change/", {"credits": "5"}).status_code == 403
    assert client.post(f"{LIST}{kept.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert sign_in("nobody").get(LIST).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        lambda: Adjustment.objects.update(credits=5),
        lambda: Adjustment.objects.all().delete(),
    ],
)
def test_the_database_keeps_adjustments_as_they_are(organization, change):
    given(organization)
    with pytest.raises(DatabaseError), transaction.atomic():
        change()
    assert Adjustment.objects.get().credits == 100

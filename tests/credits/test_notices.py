"""What members are told when credits run out, run low and come again: emails and pages."""

import re
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from django.test import Client

from credits import ledger, mail, notices, tasks
from credits.ledger import audit
from credits.models import (
    Email,
    Grant,
    Membership,
    Notice,
    NoticeKind,
    NoticeOptOut,
    Organization,
    User,
    Wording,
)
from tests.credits.support import MONDAY
from tests.purchases import paid_purchase

ACTION = "alt-text.generate"
NOON = MONDAY + timedelta(hours=12)
OUT, LOW, REFILLED = NoticeKind


@pytest.fixture(autouse=True)
def _plain_words(db) -> None:
    Wording.objects.all().delete()


def join(organization: Organization, email: str, role: str = "member", **fields) -> User:
    user, _ = User.objects.get_or_create(email=email, defaults=fields)
    Membership.objects.create(organization=organization, user=user, role=role)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(organization) -> User:
    return join(organization, "owner@example.com", "owner")


@pytest.fixture
def member(organization) -> User:
    return join(organization, "member@example.com")


@pytest.fixture
def owner_client(owner, set_clock) -> Client:
    set_clock(NOON)
    return client_of(owner)


@pytest.fixture
def member_client(member, set_clock) -> Client:
    set_clock(NOON)
    return client_of(member)


@pytest.fixture
def watched(organization) -> Organization:
    """An organization of 50 credits that sees its balance and wants to know below 20."""
    Organization.objects.update(show_balance=True, low_balance_credits=20)
    organization.refresh_from_db()
    return organization


def spend(organization: Organization, quantity: int = 50, now=NOON) -> None:
    ledger.spend(organization, ACTION, quantity=quantity, now=now)


def top_up(organization: Organization, credits: int = 500, now=NOON) -> None:
    purchase = paid_purchase(organization, credits, now=now)
    ledger.grant(organization, credits, kind=Grant.Kind.TOP_UP, purchase_id=purchase.pk, now=now)


def told(*, now=NOON) -> list[tuple[str, str]]:
    """Whom the notices until now were written to, and by which email."""
    while notices.send_due(now=now):
        pass
    return sorted(Email.objects.values_list("to", "template"))


# Emails


def test_every_member_is_told_once_by_email_of_each(
    organization, owner, member, mailoutbox, set_clock
):
    set_clock(NOON)
    spend(organization)
    for _ in range(2):
        tasks.send_notices()
    assert sorted(message.to for message in mailoutbox) == [
        ["member@example.com"], ["owner@example.com"]
    ]  # fmt: skip
    message = mailoutbox[0]
    assert message.subject == "Acme is out of credits"
    told = "You've used all your credits. Your next 50 free credits come on Monday, November 30"
    assert told in message.body
    assert f"/top-up/?organization={organization.public_id}" in message.body
    ((html, _),) = message.alternatives
    assert "You&#x27;ve used all your credits." in html
    mailoutbox.clear()
    top_up(organization)
    for _ in range(2):
        tasks.send_notices()
    assert [message.subject for message in mailoutbox] == ["Acme has credits again"] * 2
    assert set(Notice.objects.values_list("emails", "told_at")) == {(2, NOON)}


def test_staffs_words_are_in_the_emails(organization, owner, mailoutbox, set_clock):
    set_clock(NOON)
    Wording.objects.create(
        pk=1, credits_name="sun <credits>", out_of_credits_message="No {credits_name}"
    )
    spend(organization)
    tasks.send_notices()
    (message,) = mailoutbox
    assert message.subject == "Acme is out of sun <credits>"
    assert "No sun <credits>" in message.body
    ((html, _),) = message.alternatives
    assert "No sun &lt;credits&gt;" in html


def test_only_active_members_of_the_organization_are_told(organization, owner):
    join(organization, "gone@example.com", is_active=False)
    join(Organization.objects.create(name="Bolt"), "other@example.com")
    spend(organization)
    assert told() == [("owner@example.com", "out_of_credits")]


def test_an_organization_without_members_is_told_nothing_and_not_asked_again(organization):
    spend(organization)
    assert told() == []
    assert organization.notices.get().emails == 0


def test_a_low_balance_is_told_with_what_is_left(watched, owner, mailoutbox, set_clock):
    set_clock(NOON)
    spend(watched, 31)
    tasks.send_notices()
    (message,) = mailoutbox
    assert message.subject == "Acme has 19 credits left"
    assert "less than the 20 credits" in message.body


def test_what_is_left_is_told_only_where_the_balance_is_shown(
    organization, owner, mailoutbox, set_clock
):
    set_clock(NOON)
    spend(organization, 33)
    with pytest.raises(ledger.OutOfCredits):
        spend(organization, 18)
    tasks.send_notices()
    top_up(organization, 4)
    tasks.send_notices()
    texts = [text for message in mailoutbox for text in (message.body, message.alternatives[0][0])]
    assert len(texts) == 4
    assert not [text for text in texts if re.search(r"\b(17|21)\b", text)]

    Organization.objects.update(show_balance=True)
    with pytest.raises(ledger.OutOfCredits):
        spend(organization, 22)
    tasks.send_notices()
    assert mailoutbox[-1].subject == "Acme has too few credits"
    assert "more than the 21 credits that were left" in mailoutbox[-1].body


def test_a_balance_hidden_before_the_email_is_not_told(watched, owner):
    spend(watched, 31)
    Organization.objects.update(show_balance=False)
    assert told() == []


def test_what_new_credits_overtook_is_not_told_any_more(organization, owner):
    spend(organization)
    top_up(organization)
    assert told() == [("owner@example.com", "refilled")]


def test_of_a_shortage_after_a_refill_only_the_shortage_is_told(watched, owner):
    spend(watched)
    top_up(watched, 10)
    spend(watched, 1)
    spend(watched, 9)
    assert told() == [("owner@example.com", "out_of_credits")]
    assert Email.objects.get().key.startswith(f"notice-{watched.notices.first().pk}-")


def test_of_several_turns_only_the_last_is_told(organization, owner):
    for _ in range(2):
        spend(organization, ledger.balance(organization, now=NOON).total)
        top_up(organization)
    assert told() == [("owner@example.com", "refilled")]


def test_a_suspended_organization_is_told_nothing(organization, owner):
    spend(organization)
    Organization.objects.update(suspended_at=NOON)
    assert told() == []


def test_who_unsubscribed_of_a_kind_gets_the_others(organization, owner, member):
    other = Organization.objects.create(name="Bolt", weekly_credits=50)
    Membership.objects.create(organization=other, user=member)
    notices.unsubscribe(member, organization, [OUT], now=NOON)
    spend(organization)
    spend(other)
    assert told() == [
        ("member@example.com", "out_of_credits"),
        ("owner@example.com", "out_of_credits"),
    ]
    assert "Bolt" in str(Email.objects.get(to="member@example.com").context)
    top_up(organization)
    assert ("member@example.com", "refilled") in told()


def test_who_was_refused_too_much_is_told_of_running_low_and_out_as_well(watched, owner):
    with suppress(ledger.OutOfCredits):
        spend(watched, 51)
    spend(watched, 35)
    spend(watched, 15)
    found = watched.notices.order_by("id").values_list("kind", "available_credits")
    assert list(found) == [(OUT, 50), (LOW, 15), (OUT, 0)]
    assert list(audit.findings()) == []
    top_up(watched)
    assert watched.notices.filter(kind=REFILLED).count() == 1
    assert list(audit.findings()) == []


def test_a_notice_that_fails_keeps_no_other_from_being_told(organization, owner, monkeypatch):
    other = Organization.objects.create(name="Broken", weekly_credits=50)
    Membership.objects.create(organization=other, user=owner)
    spend(other)
    spend(organization)
    queue = notices._queue

    def fail_for_one(notice, *rest):
        if notice.organization == other:
            raise RuntimeError
        queue(notice, *rest)

    monkeypatch.setattr(notices, "_queue", fail_for_one)
    tasks.send_notices()
    assert organization.notices.get().told_at
    assert other.notices.get().told_at is None
    monkeypatch.undo()
    tasks.send_notices()
    assert other.notices.get().told_at


def test_a_bundle_that_staff_make_for_who_has_run_out_is_told_on_monday(organization):
    Organization.objects.update(weekly_credits=0)
    with suppress(ledger.OutOfCredits):
        spend(organization, 1)
    organization.refresh_from_db()
    ledger.change_bundle(organization, 100, now=NOON)
    list(ledger.refill(now=MONDAY + timedelta(days=7)))
    assert list(organization.notices.order_by("id").values_list("kind", flat=True)) == [
        OUT,
        REFILLED,
    ]


# Unsubscribing


def unsubscribe_url(organization: Organization) -> str:
    """The address in the header of an email, as a mail program finds it."""
    spend(organization)
    notices.send_due(now=NOON)
    message = mail._message(Email.objects.get())
    received = message_from_bytes(message.message().as_bytes(), policy=default)
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = re.fullmatch(r"<http://[^/]+(/\S+)>", received["List-Unsubscribe"].strip())
    assert url[1] in message.body
    return url[1]


def test_one_click_of_a_mail_program_unsubscribes(organization, owner):
    url = unsubscribe_url(organization)
    program = Client(enforce_csrf_checks=True)
    for _ in range(2):
        response = program.post(url, {"List-Unsubscribe": "One-Click"})
        assert response.status_code == 200
        assert "You are unsubscribed" in response.text
        assert not response.cookies
    opt_out = NoticeOptOut.objects.get()
    assert (opt_out.user, opt_out.organization, opt_out.kind) == (owner, organization, OUT)


def test_looking_at_the_link_unsubscribes_nobody(organization, owner):
    url = unsubscribe_url(organization)
    response = Client().get(url)
    assert 'method="post"' in response.text
    assert "Acme" in response.text
    Client().head(url)
    assert not NoticeOptOut.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_is_cut_or_made_up_says_what_to_do(organization, owner, method):
    url = unsubscribe_url(organization)
    for broken in (url[:-3] + "/", url.replace("unsubscribe/W", "unsubscribe/X"), "x", "%00", "ä"):
        path = broken if broken.startswith("/") else f"/notices/unsubscribe/{broken}/"
        response = getattr(Client(), method)(path)
        assert response.status_code == 404
        assert "This link does not work" in response.text
    assert not NoticeOptOut.objects.exists()


def test_the_link_of_somebody_who_is_gone_does_nothing(organization, member):
    url = unsubscribe_url(organization)
    member.delete()
    assert Client().post(url).status_code == 404


# The page


def test_a_member_chooses_the_emails_of_each_organization(member_client, member, organization):
    other = Organization.objects.create(name="Bolt")
    Membership.objects.create(organization=other, user=member)
    page = f"/notices/?organization={organization.public_id}"
    member_client.post(page, {"save": "emails", "kinds": ["refilled"]})
    assert list(NoticeOptOut.objects.values_list("user", "organization", "kind")) == [
        (member.pk, organization.pk, OUT)
    ]
    text = member_client.get(page).text
    assert re.search(r'value="refilled"[^>]*checked', text)
    assert not re.search(r'value="out_of_credits"[^>]*checked', text)
    member_client.post(page, {"save": "emails", "kinds": ["out_of_credits"]})
    assert NoticeOptOut.objects.get().kind == REFILLED
    response = member_client.post(page, {"save": "emails", "kinds": ["everything"]})
    assert response.status_code == 400
    assert NoticeOptOut.objects.get().kind == REFILLED


def test_choosing_emails_keeps_a_choice_that_is_not_offered_now(member_client, member, watched):
    notices.unsubscribe(member, watched, [LOW], now=NOON)
    Organization.objects.update(show_balance=False)
    assert 'value="low"' not in member_client.get("/notices/").text
    member_client.post("/notices/", {"save": "emails", "kinds": [OUT, REFILLED]})
    assert NoticeOptOut.objects.get().kind == LOW


def test_an_owner_sets_and_removes_the_threshold_and_it_is_in_the_activity_list(
    owner_client, watched
):
    for sent, kept in (("1000000000", 1_000_000_000), ("1", 1), ("1", 1), ("", None), ("", None)):
        response = owner_client.post("/notices/", {"save": "threshold", "credits": sent})
        assert response.url == f"/notices/?organization={watched.public_id}"
        watched.refresh_from_db()
        assert watched.low_balance_credits == kept
    recorded = watched.activities.order_by("id").values_list("kind", "actor__email", "facts")
    assert list(recorded) == [
        ("threshold_set", "owner@example.com", {"credits": 1_000_000_000}),
        ("threshold_set", "owner@example.com", {"credits": 1}),
        ("threshold_removed", "owner@example.com", {}),
    ]


@pytest.mark.parametrize("credits", ["0", "-5", "1.5", "many", "1000000001", "9" * 5_000, "\0"])
def test_a_threshold_that_is_none_is_told_in_the_form(owner_client, watched, credits):
    response = owner_client.post("/notices/", {"save": "threshold", "credits": credits})
    assert response.status_code == 400
    assert "errorlist" in response.text
    watched.refresh_from_db()
    assert watched.low_balance_credits == 20


def test_only_owners_set_it_and_only_where_the_balance_is_shown(
    owner_client, member_client, watched
):
    assert 'name="credits"' in owner_client.get("/notices/").text
    assert 'name="credits"' not in member_client.get("/notices/").text
    member_client.post("/notices/", {"save": "threshold", "credits": "7"})
    Organization.objects.update(show_balance=False)
    assert 'name="credits"' not in owner_client.get("/notices/").text
    owner_client.post("/notices/", {"save": "threshold", "credits": "7"})
    watched.refresh_from_db()
    assert watched.low_balance_credits == 20


def test_the_last_notices_are_listed_and_tell_no_hidden_balance(owner_client, watched):
    spend(watched, 33)
    with pytest.raises(ledger.OutOfCredits):
        spend(watched, 18)
    top_up(watched)
    text = owner_client.get("/notices/").text
    assert "Too few credits" in text
    assert text.count(">17 credits left") == 2
    assert "517 credits left" in text
    assert "Low balance" in text
    Organization.objects.update(show_balance=False)
    text = owner_client.get("/notices/").text
    assert ">17 credits" not in text
    assert "Low balance" not in text
    assert "Out of credits" in text


def test_other_organizations_and_visitors_see_nothing(member_client, member, organization):
    other = Organization.objects.create(name="Bolt", weekly_credits=50)
    spend(other)
    page = f"/notices/?organization={other.public_id}"
    assert member_client.get(page).status_code == 404
    assert member_client.post(page, {"save": "emails"}).status_code == 404
    notice = other.notices.get()
    assert member_client.post(f"/notices/{notice.pk}/dismiss/").status_code == 404
    assert Client().get("/notices/").status_code == 302
    stranger = client_of(User.objects.create_user("stranger@example.com"))
    assert "You don’t belong to an organization" in stranger.get("/notices/").text


# The notice on the pages

PAGE = "/accounts/password/change/"


def test_running_out_is_on_every_page_until_new_credits_come(member_client, organization):
    assert "Acme is out of credits" not in member_client.get(PAGE).text
    spend(organization)
    for page in (PAGE, "/notices/", "/top-up/", "/nothing/"):
        text = member_client.get(page).text
        assert "Acme is out of credits" in text, page
        assert "You&#x27;ve used all your credits." in text
        assert 'datetime="2026-11-30T00:00:00+00:00" data-moment="weekday"' in text
        leads_on = f'href="/top-up/?organization={organization.public_id}"' in text
        assert leads_on == (page != "/top-up/"), page
    top_up(organization)
    text = member_client.get(PAGE).text
    assert "Acme is out of credits" not in text
    assert "Acme has credits again" in text


def test_what_was_left_of_too_few_is_on_the_pages_only_where_it_is_shown(
    member_client, organization
):
    with pytest.raises(ledger.OutOfCredits):
        spend(organization, 51)
    text = member_client.get(PAGE).text
    assert "Acme is out of credits" in text
    assert "50 credits" not in text
    Organization.objects.update(show_balance=True)
    text = member_client.get(PAGE).text
    assert "Acme has too few credits" in text
    assert "more than the 50 credits that were left" in text


def test_what_staff_wrote_is_quoted_on_the_pages(member_client, organization):
    Wording.objects.create(
        pk=1,
        credits_name="<b>suns</b>",
        out_of_credits_message="No {credits_name} <i>",
        next_refill_message="{next_refill} <u>",
    )
    spend(organization)
    text = member_client.get(PAGE).text
    assert "No &lt;b&gt;suns&lt;/b&gt; &lt;i&gt;" in text
    assert "</time> &lt;u&gt;" in text


def test_running_out_is_not_said_while_credits_are_back_or_a_new_week_began(
    member_client, organization, set_clock
):
    spend(organization, 49)
    spent = ledger.spend(organization, ACTION, now=NOON)
    assert "is out of credits" in member_client.get(PAGE).text
    ledger.refund(organization.spends.get(pk=spent.id), now=NOON)
    assert "is out of credits" not in member_client.get(PAGE).text
    spend(organization, 1)
    assert "is out of credits" in member_client.get(PAGE).text
    set_clock(MONDAY + timedelta(days=7))
    assert "is out of credits" not in member_client.get(PAGE).text


def test_a_low_balance_is_on_the_pages_only_where_it_is_shown(member_client, watched):
    spend(watched, 31)
    assert "Acme has less than 20 credits left" in member_client.get(PAGE).text
    Organization.objects.update(show_balance=False)
    assert "Acme" not in member_client.get(PAGE).text
    Organization.objects.update(show_balance=True)
    top_up(watched)
    assert "less than" not in member_client.get(PAGE).text


def test_a_refill_is_said_for_a_week(member_client, organization, set_clock):
    spend(organization)
    top_up(organization)
    set_clock(NOON + timedelta(days=7) - timedelta(seconds=1))
    assert "has credits again" in member_client.get(PAGE).text
    set_clock(NOON + timedelta(days=7))
    assert "has credits again" not in member_client.get(PAGE).text


def test_who_dismisses_a_notice_sees_it_no_more_and_others_do(
    owner_client, member_client, organization
):
    spend(organization)
    notice = organization.notices.get()
    for _ in range(2):
        response = member_client.post(f"/notices/{notice.pk}/dismiss/", {"next": "/purchases/"})
        assert response.url == "/purchases/"
    assert "is out of credits" not in member_client.get(PAGE).text
    assert "is out of credits" in owner_client.get(PAGE).text
    top_up(organization)
    assert "has credits again" in member_client.get(PAGE).text


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "javascript:1", "", "keys"]
)
def test_dismissing_leads_to_our_own_pages_alone(member_client, organization, back):
    spend(organization)
    path = f"/notices/{organization.notices.get().pk}/dismiss/"
    assert member_client.post(path, {"next": back}).url == "/"
    assert member_client.get(path).status_code == 405


def test_the_notice_is_of_the_organization_one_looks_at(member_client, member, organization):
    other = Organization.objects.create(name="Bolt", weekly_credits=50)
    Membership.objects.create(organization=other, user=member)
    spend(other)
    assert "Bolt is out" not in member_client.get(PAGE).text
    member_client.get(f"/notices/?organization={other.public_id}")
    assert "Bolt is out" in member_client.get(PAGE).text


def test_pages_ask_once_for_the_notice(member_client, django_assert_max_num_queries, organization):
    client = member_client
    client.get(PAGE)
    with django_assert_max_num_queries(12) as queries:
        client.get(PAGE)
    about = [query for query in queries if "credits_notice" in query["sql"]]
    assert len(about) == 1


# Staff


def test_staff_but_finance_read_what_was_told_and_nobody_changes_it(sign_in, organization, owner):
    spend(organization)
    told()
    notice = organization.notices.get()
    for group, status in (("support", 200), ("finance", 403), ("administrators", 200)):
        client = sign_in(group)
        notices = client.get("/admin/credits/notice/")
        assert notices.status_code == status
        assert ("Acme" in notices.text) == (status == 200)
        assert client.get(f"/admin/credits/notice/{notice.pk}/change/").status_code == status
        assert client.post(f"/admin/credits/notice/{notice.pk}/change/").status_code == 403
        assert client.get("/admin/credits/notice/add/").status_code == 403

"""Staff send a notice's emails again, and try emails that did not go out."""

import smtplib
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.mail.backends.locmem import EmailBackend

from credits import ledger, mail, notices, tasks
from credits.models import Email, Membership, Notice, NoticeOptOut, Organization, User
from tests.concurrency.threads import at_once
from tests.credits.support import MONDAY

NOON = MONDAY + timedelta(hours=12)
ACTION = "alt-text.generate"


@pytest.fixture(autouse=True)
def _noon(db, set_clock) -> None:
    set_clock(NOON)


def join(organization: Organization, email: str, **fields) -> User:
    user = User.objects.create(email=email, **fields)
    Membership.objects.create(organization=organization, user=user)
    return user


@pytest.fixture
def notice(organization) -> Notice:
    """Acme ran out of credits, and its two members were told."""
    join(organization, "ann@acme.test")
    join(organization, "ben@acme.test")
    ledger.spend(organization, ACTION, quantity=50, now=NOON)
    notices.send_due(now=NOON)
    tasks.send_mail()
    return Notice.objects.get()


@pytest.fixture
def low(organization) -> Notice:
    """Acme, which sees its balance, fell below its threshold, and its member was told."""
    join(organization, "ann@acme.test")
    Organization.objects.update(show_balance=True, low_balance_credits=20)
    ledger.spend(organization, ACTION, quantity=40, now=NOON)
    notices.send_due(now=NOON)
    return Notice.objects.get()


def url_of(row: Notice | Email) -> str:
    action = "resend" if isinstance(row, Notice) else "send_again"
    return f"/admin/credits/{row._meta.model_name}/{row.pk}/{action}/"


def page_of(row: Notice | Email) -> str:
    return f"/admin/credits/{row._meta.model_name}/{row.pk}/change/"


def confirmed(page) -> dict[str, str]:
    """What the button of a confirmation sends."""
    resend_id = page.context["form"].data["resend_id"]
    return {"resend_id": str(resend_id), "confirmed": page.context["fingerprint"]}


def resend(client, notice: Notice):
    return client.post(url_of(notice), confirmed(client.get(url_of(notice))), follow=True)


# --- Notices ----------------------------------------------------------------------------------


def test_who_gets_it_is_told_and_then_gets_one_more_email(admin, notice, mailoutbox):
    mailoutbox.clear()
    page = admin.get(url_of(notice))
    first, _ = page.context["consequences"]
    assert first == "2 emails will go out within a minute, to ann@acme.test, ben@acme.test."
    assert Email.objects.count() == 2
    answer = admin.post(url_of(notice), confirmed(page), follow=True)
    assert "2 emails will go out within a minute." in answer.text
    tasks.send_mail()
    assert sorted(message.to for message in mailoutbox) == [["ann@acme.test"], ["ben@acme.test"]]
    assert all(message.subject.startswith("Acme is out of") for message in mailoutbox)
    notice.refresh_from_db()
    assert (notice.told_at, notice.emails) == (NOON, 4)
    assert LogEntry.objects.get().get_change_message() == "Sent again: 2 emails."


def test_one_click_is_one_email_each_and_the_next_click_another(admin, notice):
    form = confirmed(admin.get(url_of(notice)))
    admin.post(url_of(notice), form)
    again = admin.post(url_of(notice), form, follow=True)
    assert "This was done before" in again.text
    assert Email.objects.count() == 4
    resend(admin, notice)
    assert Email.objects.count() == 6
    assert LogEntry.objects.count() == 2


def test_one_click_sent_by_many_at_once_is_one_email_each(committed_db, request):
    notice = request.getfixturevalue("notice")
    resend_id = uuid4()
    told = at_once(lambda _: notices.resend(notice, resend_id=resend_id, now=NOON), range(6))
    assert sorted(len(readers) for readers in told) == [0, 0, 0, 0, 0, 2]
    assert Email.objects.count() == 4
    notice.refresh_from_db()
    assert notice.emails == 4


def test_only_members_who_want_it_now_get_it(admin, organization, notice):
    ann = User.objects.get(email="ann@acme.test")
    NoticeOptOut.objects.create(
        user=ann, organization=organization, kind=notice.kind, created_at=NOON
    )
    join(organization, "gone@acme.test", is_active=False)
    join(organization, "cleo@acme.test")
    page = admin.get(url_of(notice))
    assert "to ben@acme.test, cleo@acme.test." in page.context["consequences"][0]
    Membership.objects.filter(user__email="ben@acme.test").delete()
    page = admin.post(url_of(notice), confirmed(page))
    assert "Things have changed since you looked" in page.text
    assert "1 email will go out within a minute, to cleo@acme.test." in page.text
    assert Email.objects.count() == 2


def test_of_many_readers_the_first_are_named(admin, organization, notice):
    for number in range(12):
        join(organization, f"m{number}@acme.test")
    told = admin.get(url_of(notice)).context["consequences"][0]
    assert told.startswith("14 emails")
    assert told.endswith("m7@acme.test and 4 more.")


def over(organization: Organization) -> None:
    staff = User.objects.create(email="s@example.com")
    ledger.adjust(organization, 5, reason="Gift", actor=staff, now=NOON)


def suspended(organization: Organization) -> None:
    Organization.objects.update(suspended_at=NOON)


def untold(organization: Organization) -> None:
    Notice.objects.update(told_at=None, emails=None)


def unwanted(organization: Organization) -> None:
    Membership.objects.all().delete()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (over, "it is over, or no member wants"),
        (unwanted, "it is over, or no member wants"),
        (suspended, "The organization is suspended"),
        (untold, "have not been written yet"),
    ],
)
def test_what_cannot_be_told_again_says_why(admin, organization, notice, make, told):
    form = confirmed(admin.get(url_of(notice)))
    make(organization)
    for answer in (
        admin.get(url_of(notice), follow=True),
        admin.post(url_of(notice), form, follow=True),
    ):
        assert told in answer.text
    assert Email.objects.count() == 2
    assert not LogEntry.objects.exists()


def test_a_low_balance_is_not_told_again_to_who_may_not_see_it(admin, organization, low):
    assert url_of(low) in admin.get(page_of(low)).text
    assert "1 email will go out" in admin.get(url_of(low)).text
    Organization.objects.update(show_balance=False)
    assert "may not see its balance" in admin.get(url_of(low), follow=True).text
    for page in (page_of(low), "/admin/credits/notice/"):
        assert url_of(low) not in admin.get(page).text


@pytest.mark.parametrize("resend_id", ["", "one"])
def test_a_form_without_its_id_sends_nothing(admin, notice, resend_id):
    answer = admin.post(url_of(notice), {"resend_id": resend_id, "confirmed": "yes"})
    assert "lost its one-time id" in answer.text
    assert Email.objects.count() == 2


# --- Emails -----------------------------------------------------------------------------------


@pytest.fixture
def failed(monkeypatch) -> Email:
    """An email whose server was away two minutes ago."""
    tried_at = NOON - timedelta(minutes=2)
    mail.queue(
        "alert", to="pay@example.com", template="alert", context={"subject": "S"}, now=tried_at
    )
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", away)
        mail.send_due(now=tried_at)
    return Email.objects.get()


def away(*_) -> None:
    raise smtplib.SMTPServerDisconnected("away")


def test_an_email_that_failed_is_tried_now_and_said_to_be_sent(admin, failed, mailoutbox):
    assert url_of(failed) in admin.get(page_of(failed)).text
    assert url_of(failed) in admin.get("/admin/credits/email/").text
    assert "Try to send alert to pay@example.com now?" in admin.get(url_of(failed)).text
    assert mailoutbox == []
    answer = admin.post(url_of(failed), follow=True)
    assert "Sent to pay@example.com." in answer.text
    assert len(mailoutbox) == 1
    assert LogEntry.objects.get().get_change_message() == "Tried now: sent."
    assert url_of(failed) not in answer.text

    again = admin.post(url_of(failed), follow=True)
    assert "This email was sent, so there is nothing to try." in again.text
    tasks.send_mail()
    assert len(mailoutbox) == LogEntry.objects.count() == 1


def test_one_that_fails_again_says_why_and_is_tried_on(admin, failed, monkeypatch, mailoutbox):
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", away)
        answer = admin.post(url_of(failed), follow=True)
    assert "It failed again, and is tried on by itself: SMTPServerDisconnected: away" in answer.text
    failed.refresh_from_db()
    assert failed.attempts == 2
    answer = admin.post(url_of(failed), follow=True)
    assert "tried less than a minute ago" in answer.text
    mail.send_due(now=NOON + timedelta(days=1))
    assert len(mailoutbox) == 1


def test_clicks_and_a_sender_at_once_send_one(committed_db, request, mailoutbox):
    failed = request.getfixturevalue("failed")
    later = NOON + timedelta(minutes=10)
    calls = [
        *(lambda: mail.try_now(Email.objects.get(pk=failed.pk), now=later),) * 4,
        *(lambda: mail.send_due(now=later),) * 4,
    ]
    results = at_once(lambda call: call(), calls)
    assert not [result for result in results if isinstance(result, Exception)]
    assert len(mailoutbox) == 1


def test_no_row_is_a_404(admin):
    for path in ("notice/9/resend", "notice/x/resend", "email/9/send_again", "email/x/send_again"):
        assert admin.get(f"/admin/credits/{path}/").status_code == 404


@pytest.mark.parametrize(
    ("role", "may"),
    [("support", True), ("administrators", True), ("finance", False), ("nobody", False)],
)
@pytest.mark.parametrize("row", ["notice", "failed"])
def test_only_who_has_the_permission_sends(request, sign_in, role, may, row):
    row, client = request.getfixturevalue(row), sign_in(role)
    assert client.get(url_of(row)).status_code == (200 if may else 403)
    if role != "nobody":
        for page in (page_of(row), f"/admin/credits/{row._meta.model_name}/"):
            assert (url_of(row) in client.get(page).text) is may
    form = {"resend_id": str(uuid4()), "confirmed": "yes"}
    assert client.post(url_of(row), form).status_code in ((200, 302) if may else (403,))
    if not may:
        assert not LogEntry.objects.exists()

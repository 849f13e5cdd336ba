"""The outbox: emails go out once, whatever happens to mail servers and senders."""

import smtplib
from datetime import timedelta

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from credits import mail, tasks
from credits.models import Email
from tests.concurrency.threads import at_once


def test_an_alert_links_to_where_staff_look(db, mailoutbox, settings):
    settings.ALERT_EMAILS = ["pay@example.com"]
    address = "https://credits.test/admin/topups/purchase/1/change/"
    mail.alert("k", "It fails", f"Line <1>\nSee {address}", now=timezone.now())
    tasks.send_mail()
    (message,) = mailoutbox
    ((html, _),) = message.alternatives
    assert f"Line <1>\nSee {address}\n" in message.body
    assert "Line &lt;1&gt;<br>See" in html
    assert f'href="{address}"' in html


def test_what_is_told_twice_is_sent_once(db, mailoutbox):
    now = timezone.now()
    queue_alert("alert", now)
    queue_alert("alert", now)
    mail.send_due(now=now)
    queue_alert("alert", now)
    mail.send_due(now=now + timedelta(days=1))
    assert len(mailoutbox) == 1


def test_two_senders_at_once_send_one(committed_db, mailoutbox):
    now = timezone.now()
    for number in range(10):
        queue_alert(f"alert-{number}", now)
    seen = at_once(lambda _: mail.send_due(now=now), range(4))
    assert all(isinstance(number, int) for number in seen)
    assert len(mailoutbox) == 10
    assert len({message.extra_headers["Message-ID"] for message in mailoutbox}) == 10
    assert not Email.objects.filter(sent_at=None).exists()


def test_all_that_wait_are_sent_in_one_run(db, mailoutbox):
    for number in range(mail.EMAILS_AT_ONCE * 2 + 1):
        queue_alert(f"alert-{number}", timezone.now())
    tasks.send_mail()
    assert len(mailoutbox) == mail.EMAILS_AT_ONCE * 2 + 1


def test_an_email_whose_sender_died_goes_out_after_a_while(db, mailoutbox, monkeypatch):
    now = timezone.now()
    queue_alert("alert", now)
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", killed)
        with pytest.raises(KeyboardInterrupt):
            mail.send_due(now=now)
    mail.send_due(now=now + timedelta(minutes=4))
    assert mailoutbox == []  # It may still be at work.
    mail.send_due(now=now + timedelta(minutes=5))
    mail.send_due(now=now + timedelta(days=1))
    assert len(mailoutbox) == 1
    assert Email.objects.get().attempts == 2


def killed(*_) -> None:
    raise KeyboardInterrupt


def test_a_sender_that_dies_after_sending_leaves_mailboxes_able_to_tell(
    db, mailoutbox, monkeypatch
):
    now = timezone.now()
    queue_alert("alert", now)
    deliver = EmailBackend.send_messages

    def deliver_and_die(self, messages) -> None:
        deliver(self, messages)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", deliver_and_die)
        with pytest.raises(KeyboardInterrupt):
            mail.send_due(now=now)
    mail.send_due(now=now + timedelta(minutes=5))
    first, second = (message.extra_headers["Message-ID"] for message in mailoutbox)
    assert first == second


def test_a_mail_server_that_fails_is_tried_again_later_and_later(db, mailoutbox, monkeypatch):
    now = timezone.now()
    queue_alert("alert", now)
    waits = []
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", refused)
        for _ in range(9):
            mail.send_due(now=now)
            email = Email.objects.get()
            waits.append((email.next_attempt_at - now) / timedelta(minutes=1))
            assert email.sent_at is None
            assert email.error == "SMTPServerDisconnected: The server is busy."
            now = email.next_attempt_at
    assert waits == [5, 10, 20, 40, 80, 160, 320, 360, 360]
    mail.send_due(now=now - timedelta(seconds=1))
    assert mailoutbox == []
    mail.send_due(now=now)
    email = Email.objects.get()
    assert len(mailoutbox) == 1
    assert (email.sent_at, email.error, email.next_attempt_at) == (now, "", None)


def refused(*_) -> None:
    raise smtplib.SMTPServerDisconnected("The server is busy.")


def test_an_email_that_fails_does_not_stop_the_others(db, mailoutbox):
    now = timezone.now()
    mail.queue("broken", to="a@example.com", template="no-such-template", now=now)
    queue_alert("alert", now)
    mail.send_due(now=now)
    assert [message.to for message in mailoutbox] == [["pay@example.com"]]
    assert "TemplateDoesNotExist" in Email.objects.get(key="broken").error


def queue_alert(key: str, now) -> None:
    context = {"subject": "It fails", "text": "Look."}
    mail.queue(key, to="pay@example.com", template="alert", context=context, now=now)

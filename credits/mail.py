"""Email: written down in the transaction that has something to tell, sent after its commit."""

import logging
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from credits.models import Email, Wording
from credits.retries import retry_after

logger = logging.getLogger(__name__)

# Also how long a sender that died keeps its email from being tried again.
FIRST_RETRY_AFTER = timedelta(minutes=5)
# How long staff wait before they try an email again that somebody may be sending just now.
TRIED_JUST_NOW = timedelta(minutes=1)
# So few that the claim on the last still holds when its turn comes, however slow the server is.
EMAILS_AT_ONCE = 10


def queue(
    key: str, *, to: str, template: str, now: datetime, context: dict[str, Any] | None = None
) -> None:
    """Have an email sent once this transaction is committed; a second of the same key is not.

    `template` names `templates/emails/<template>.txt` and `.html`, and `context` is JSON. It is
    written in the language of the moment. An `unsubscribe_url` in it becomes a button in mail
    programs too: a POST to it unsubscribes.
    """
    email = Email(
        key=key,
        to=to,
        template=template,
        context={"language": translation.get_language(), **(context or {})},
        created_at=now,
        next_attempt_at=now,
    )
    Email.objects.bulk_create([email], ignore_conflicts=True)


def alert(key: str, subject: str, text: str, *, now: datetime) -> None:
    """Tell staff, in the log and at each address of `ALERT_EMAILS`, once for each `key`."""
    logger.error("%s: %s", subject, text)
    for address in settings.ALERT_EMAILS:
        queue(
            f"{key} {address}",
            to=address,
            template="alert",
            context={"subject": subject, "text": text},
            now=now,
        )


def send_due(*, now: datetime) -> int:
    """Send the emails whose time has come, `EMAILS_AT_ONCE` at most; how many there were.

    What fails is tried later.
    """
    due = Email.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    emails = list(due[:EMAILS_AT_ONCE])
    for email in emails:
        if _claim(email, now):
            _send(email, now)
    return len(emails)


def try_now(email: Email, *, now: datetime) -> bool:
    """Send an email that waits or failed before its next attempt; whether it was tried.

    It is not where it is sent, or where its last attempt began less than `TRIED_JUST_NOW` ago and
    may still be under way. `email` tells afterwards how it went.
    """
    tried = not _was_just_tried(email, now) and _claim(email, now)
    if tried:
        _send(email, now)
    email.refresh_from_db()
    return tried


def _was_just_tried(email: Email, now: datetime) -> bool:
    if email.next_attempt_at is None:
        return True
    if not email.attempts:
        return False
    last_attempt_at = email.next_attempt_at - retry_after(email.attempts, first=FIRST_RETRY_AFTER)
    return now - last_attempt_at < TRIED_JUST_NOW


def _claim(email: Email, now: datetime) -> bool:
    """Whether it is ours to send now, and nobody else's."""
    email.attempts += 1
    next_attempt_at = now + retry_after(email.attempts, first=FIRST_RETRY_AFTER)
    mine = Email.objects.filter(pk=email.pk, next_attempt_at=email.next_attempt_at)
    return bool(mine.update(attempts=email.attempts, next_attempt_at=next_attempt_at))


def _send(email: Email, now: datetime) -> None:
    try:
        _message(email).send()
    except Exception as error:
        logger.exception("Email %s was not sent", email.key)
        Email.objects.filter(pk=email.pk).update(error=f"{type(error).__name__}: {error}")
    else:
        Email.objects.filter(pk=email.pk).update(sent_at=now, next_attempt_at=None, error="")


def _message(email: Email) -> EmailMultiAlternatives:
    """The email as text and HTML; the first line of the text is the subject."""
    with translation.override(email.context.get("language") or settings.LANGUAGE_CODE):
        return _translated_message(email)


def _translated_message(email: Email) -> EmailMultiAlternatives:
    context = {
        **email.context,
        "base_url": settings.BASE_URL,
        "credits_name": Wording.current().credits_name,
    }
    text = render_to_string(f"emails/{email.template}.txt", context)
    subject, _, body = text.partition("\n")
    # Should it be sent twice, because a sender died after sending it, mailboxes can tell.
    host = urlsplit(settings.BASE_URL).hostname
    message_id = f"<email-{email.pk}-{email.created_at.timestamp():.0f}@{host}>"
    message = EmailMultiAlternatives(
        subject,
        body.lstrip(),
        to=[email.to],
        headers={"Message-ID": message_id, **_unsubscribe_headers(email.context)},
    )
    message.attach_alternative(
        render_to_string(f"emails/{email.template}.html", {**context, "subject": subject}),
        "text/html",
    )
    return message


def _unsubscribe_headers(context: dict[str, Any]) -> dict[str, str]:
    """For one-click unsubscribing (RFC 8058), where the email can be unsubscribed from."""
    if "unsubscribe_url" not in context:
        return {}
    return {
        "List-Unsubscribe": f"<{context['unsubscribe_url']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }

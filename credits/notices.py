"""What members are told when credits run out, run low and come again: by email, and on the pages.

The ledger finds the moments (`credits/ledger/sql/notices.sql`); here they are told, once each.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.urls import reverse

from credits import activity, ledger, mail, reports, wording
from credits.models import (
    Email,
    Notice,
    NoticeDismissal,
    NoticeKind,
    NoticeOptOut,
    Organization,
    User,
)

logger = logging.getLogger(__name__)

NOTICES_AT_ONCE = 100
# How long the pages say that there are credits again.
REFILL_SHOWN_FOR = timedelta(days=7)
RECENT_NOTICES = 20

_TEMPLATES = {
    NoticeKind.OUT_OF_CREDITS: "out_of_credits",
    NoticeKind.LOW: "low_balance",
    NoticeKind.REFILLED: "refilled",
}
# A dot never stands in what it signs, and mail programs take it for a part of the address.
_SIGNER = signing.Signer(salt="credits.notices.unsubscribe", sep=".")


def send_due(*, now: datetime, after: int = 0) -> int | None:
    """Write the emails of notices nobody has told yet, each in a transaction of its own.

    Looks at `NOTICES_AT_ONCE` at most whose id is above `after`, and returns the last one's id to
    go on from; None when there was none. One that fails is logged and keeps none from being told.
    """
    untold = Notice.objects.filter(told_at=None, pk__gt=after).order_by("id")
    due = list(untold.values_list("pk", flat=True)[:NOTICES_AT_ONCE])
    for notice_id in due:
        try:
            _send(notice_id, now)
        except Exception:
            logger.exception("Notice %s was not told", notice_id)
    return due[-1] if due else None


def _send(notice_id: int, now: datetime) -> None:
    with transaction.atomic():
        waiting = Notice.objects.select_related("organization").select_for_update(of=("self",))
        notice = waiting.filter(pk=notice_id, told_at=None).first()
        if notice is None:
            return  # Another worker has told it.
        readers = list(_readers(notice)) if _is_news(notice) else []
        for reader in readers:
            _queue(notice, reader, now)
        notice.told_at, notice.emails = now, len(readers)
        notice.save(update_fields=["told_at", "emails"])


def resend(notice: Notice, *, resend_id: UUID, now: datetime) -> list[User]:
    """Write the emails of a notice again; to whom, which are those `readers_now` tells.

    Each `resend_id` does it once: a repeat writes no more, and returns nobody.
    """
    with transaction.atomic():
        Notice.objects.select_for_update().get(pk=notice.pk)
        notice.refresh_from_db()
        readers = readers_now(notice)
        again = f"-again-{resend_id}"
        keys = [_key(notice, reader, again) for reader in readers]
        if not readers or Email.objects.filter(key__in=keys).exists():
            return []
        for reader in readers:
            _queue(notice, reader, now, again)
        notice.emails = (notice.emails or 0) + len(readers)
        notice.save(update_fields=["emails"])
        return readers


def readers_now(notice: Notice) -> list[User]:
    """Whom the emails of a told notice can be sent to again: who wants them, while it stands."""
    return list(_readers(notice)) if notice.told_at and _is_news(notice) else []


def may_stand(notice: Notice) -> bool:
    """Whether nothing on the notice or its organization keeps its emails from being sent."""
    organization = notice.organization
    is_allowed = notice.kind in kinds_of(organization) and not organization.is_suspended
    return is_allowed and notice.ended_at is None


def _is_news(notice: Notice) -> bool:
    """Whether it still stands: what overtook it has a notice of its own.

    A shortage stands until new credits end it, even if some came home meanwhile: there will be no
    second notice of it.
    """
    if not may_stand(notice):
        return False
    later = notice.organization.notices.filter(pk__gt=notice.pk).exclude(kind=NoticeKind.LOW)
    return not later.exists()


def _readers(notice: Notice) -> QuerySet[User]:
    """The members who did not unsubscribe."""
    opt_outs = NoticeOptOut.objects.filter(
        user=OuterRef("pk"), organization=notice.organization, kind=notice.kind
    )
    return notice.organization.members.filter(~Exists(opt_outs), is_active=True).order_by("pk")


def _key(notice: Notice, reader: User, again: str) -> str:
    return f"notice-{notice.pk}-{reader.pk}{again}"


def _queue(notice: Notice, reader: User, now: datetime, again: str = "") -> None:
    organization = notice.organization
    kind = NoticeKind(notice.kind)
    of_organization = {"organization": organization.public_id}
    context: dict[str, Any] = {
        "organization": organization.name,
        "message": wording.out_of_credits(organization.weekly_credits, now=now),
        "top_up_url": settings.BASE_URL + reverse("top-up", query=of_organization),
        "notices_url": settings.BASE_URL + reverse("notices", query=of_organization),
        "unsubscribe_url": settings.BASE_URL + unsubscribe_path(reader, organization, kind),
    }
    if organization.show_balance:
        context["available"] = notice.available_credits
        context["threshold"] = organization.low_balance_credits
    mail.queue(
        _key(notice, reader, again),
        to=reader.email,
        template=_TEMPLATES[kind],
        context=context,
        now=now,
    )


def unsubscribe_path(user: User, organization: Organization, kind: NoticeKind) -> str:
    """Where a person unsubscribes from a kind of emails, today or in a year, without signing in."""
    token = _SIGNER.sign_object([user.pk, organization.pk, kind.value])
    return reverse("unsubscribe", args=[token])


def subscription(token: str) -> tuple[User, Organization, NoticeKind]:
    """Whose emails, about what and of which kind, a token of an unsubscribe address means.

    Raises BadSignature for one that we did not sign, or whose person or organization is gone.
    """
    user_id, organization_id, kind = _SIGNER.unsign_object(token)
    user = User.objects.filter(pk=user_id).first()
    organization = Organization.objects.filter(pk=organization_id).first()
    if user is None or organization is None:
        raise signing.BadSignature("Nobody is subscribed by this token any more.")
    return user, organization, NoticeKind(kind)


def unsubscribe(
    user: User, organization: Organization, kinds: Iterable[NoticeKind], *, now: datetime
) -> None:
    """Send the person no more emails of these kinds about an organization."""
    NoticeOptOut.objects.bulk_create(
        [
            NoticeOptOut(user=user, organization=organization, kind=kind, created_at=now)
            for kind in kinds
        ],
        ignore_conflicts=True,
    )


def choose_emails(
    user: User, organization: Organization, kinds: Iterable[NoticeKind], *, now: datetime
) -> None:
    """Send the person emails of these kinds about an organization, and of no other it has."""
    wanted = set(kinds)
    offered = kinds_of(organization)
    with transaction.atomic():
        user.notice_opt_outs.filter(organization=organization, kind__in=wanted).delete()
        unsubscribe(user, organization, [kind for kind in offered if kind not in wanted], now=now)


def chosen_emails(user: User, organization: Organization) -> list[NoticeKind]:
    """The kinds of emails that the person gets about an organization."""
    opt_outs = user.notice_opt_outs.filter(organization=organization)
    unwanted = set(opt_outs.values_list("kind", flat=True))
    return [kind for kind in kinds_of(organization) if kind not in unwanted]


def kinds_of(organization: Organization) -> list[NoticeKind]:
    """What an organization may be told: nothing that tells a balance it may not see."""
    hidden = () if organization.show_balance else (NoticeKind.LOW,)
    return [kind for kind in NoticeKind if kind not in hidden]


def recent(organization: Organization) -> QuerySet[Notice]:
    """The last notices that the organization may see, newest first."""
    return organization.notices.filter(kind__in=kinds_of(organization))[:RECENT_NOTICES]


def set_threshold(
    organization: Organization, credits: int | None, *, actor: User, now: datetime
) -> None:
    """Have members told when use leaves less than `credits`: 1 to 1,000,000,000, None for never."""
    if credits == organization.low_balance_credits:
        return
    with transaction.atomic():
        ledger.change_threshold(organization, credits, now=now)
        if credits:
            kind, facts = activity.Kind.THRESHOLD_SET, {"credits": credits}
        else:
            kind, facts = activity.Kind.THRESHOLD_REMOVED, {}
        activity.record(organization, kind, actor=actor, now=now, **facts)


def shown_on_pages(user: User, chosen: str, *, now: datetime) -> Notice | None:
    """The newest notice of an organization of the user, while it is true and not dismissed.

    `chosen` is the public id of the organization the user looks at; without one of theirs it is
    their first.
    """
    newest = Notice.objects.filter(organization=OuterRef("pk")).order_by("-id").values("pk")[:1]
    organizations = user.organizations.annotate(newest_notice=Subquery(newest))
    newest_of = dict(organizations.values_list("public_id", "newest_notice"))
    notice_id = newest_of.get(chosen, next(iter(newest_of.values()), None))
    if notice_id is None:
        return None
    undismissed = Notice.objects.exclude(dismissals__user=user).select_related("organization")
    notice = undismissed.filter(pk=notice_id).first()
    return notice if notice and _is_true(notice, now) else None


def _is_true(notice: Notice, now: datetime) -> bool:
    """Whether a page may say it right now, also before the ledger has written down a new week."""
    organization = notice.organization
    if organization.is_suspended or notice.ended_at:
        return False
    if notice.kind == NoticeKind.REFILLED:
        return now - notice.occurred_at < REFILL_SHOWN_FOR
    available = ledger.balance(organization, now=now).total
    if notice.kind == NoticeKind.LOW:
        return organization.show_balance and available < (organization.low_balance_credits or 0)
    is_new_week = notice.occurred_at < ledger.week_start(now)
    came = is_new_week and reports.untouched_bundle(organization, now=now)
    return not came and available <= notice.available_credits


def dismiss(notice: Notice, user: User, *, now: datetime) -> None:
    """Show a notice to a person no more; dismissing it again changes nothing."""
    dismissal = NoticeDismissal(notice=notice, user=user, created_at=now)
    NoticeDismissal.objects.bulk_create([dismissal], ignore_conflicts=True)

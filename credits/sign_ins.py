"""The sign-in log: who came in or tried to, when, from where and how."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache

from credits.models import SignIn, User
from credits.models.sign_ins import MAX_USER_AGENT_LENGTH

Outcome = SignIn.Outcome

# The rate limits allow each address and each visitor few tries; who has many of both could still
# fill the disk. Beyond so many a minute only those of staff are written down, which are few.
MAX_FAILURES_A_MINUTE = 100
FAILURES = (Outcome.WRONG_PASSWORD, Outcome.WRONG_CODE, Outcome.REFUSED)
# A refusal costs us nothing and could be had without end, so it is told once in a while.
REFUSAL_TOLD_EVERY = timedelta(minutes=5)
FORGOTTEN_AT_ONCE = 5_000


def record(
    outcome: SignIn.Outcome,
    *,
    now: datetime,
    user: User | None = None,
    email: str = "",
    methods: Iterable[str] = (),
    ip: str | None = None,
    user_agent: str = "",
) -> None:
    """Write one line, of `user` or of the address that was tried; see the limits above."""
    email = (user.email if user else email.strip().lower())[:254]
    user = user or User.objects.filter(email=email).first()
    if outcome in FAILURES and _is_too_much(outcome, user, ip, now):
        return
    SignIn.objects.create(
        at=now,
        user=user,
        email=email,
        outcome=outcome,
        methods=", ".join(methods)[:100],
        ip=ip,
        user_agent=user_agent[:MAX_USER_AGENT_LENGTH],
    )


def _is_too_much(outcome: SignIn.Outcome, user: User | None, ip: str | None, now: datetime) -> bool:
    if outcome == Outcome.REFUSED:
        key = f"sign-in-refused-{user.pk if user and user.is_staff else ip}"
        if not cache.add(key, True, REFUSAL_TOLD_EVERY.total_seconds()):
            return True
    if user and user.is_staff:
        return False
    key = f"sign-in-failures-{now:%H:%M}"
    cache.add(key, 0, timeout=120)
    return cache.incr(key) > MAX_FAILURES_A_MINUTE


def forget_old(*, now: datetime) -> int:
    """Delete the lines older than `SIGN_IN_LOG_DAYS`, some at a time; says how many."""
    old = SignIn.objects.filter(at__lt=now - timedelta(days=settings.SIGN_IN_LOG_DAYS))
    forgotten = 0
    while batch := list(old.order_by("at").values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]):
        forgotten += SignIn.objects.filter(pk__in=batch).delete()[0]
    return forgotten

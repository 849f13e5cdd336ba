from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits.moments import parse_moment
from topups import reconciliation

STRIPE_BEGAN = datetime(2010, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    help = "Ask Stripe for sessions, refunds and disputes, and take in what no webhook told."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            help="Look at what Stripe has from this moment on, such as 2026-11-30T00:00:00Z; "
            "never later than the last run that came to its end, which is the default.",
        )

    def handle(self, *args: Any, since: str | None, **options: Any) -> None:
        now = timezone.now()
        moment = None if since is None else self._moment(since)
        if moment and not STRIPE_BEGAN <= moment <= now:
            raise CommandError(f"--since is {since}; it must be between 2010 and now.")
        run = reconciliation.reconcile(since=moment, now=now)
        self.stdout.write(f"Looked at {run.seen:,} objects at Stripe since {run.since:%F %T} UTC.")
        for line in run.repaired:
            self.stdout.write(f"  repaired: {line}")
        if run.failures:
            raise CommandError("\n".join(run.failures))
        self.stdout.write(self.style.SUCCESS(f"Done: {len(run.repaired):,} repaired."))

    def _moment(self, text: str) -> datetime:
        try:
            return parse_moment(text)
        except ValueError:
            raise CommandError(
                f"--since is {text!r}; write it like 2026-11-30T00:00:00Z."
            ) from None

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits.moments import parse_moment
from topups import reconciliation


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
        try:
            moment = parse_moment(since) if since else None
        except ValueError:
            raise CommandError(
                f"--since is {since!r}; write it like 2026-11-30T00:00:00Z."
            ) from None
        if moment and moment > now:
            raise CommandError("--since is in the future.")
        run = reconciliation.reconcile(since=moment, now=now)
        self.stdout.write(f"Looked at {run.seen:,} objects at Stripe since {run.since:%F %T} UTC.")
        for line in run.repaired:
            self.stdout.write(f"  repaired: {line}")
        if run.failures:
            raise CommandError("\n".join(run.failures))
        self.stdout.write(self.style.SUCCESS(f"Done: {len(run.repaired):,} repaired."))

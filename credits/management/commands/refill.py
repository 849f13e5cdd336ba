from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import jobs, ledger
from credits.ledger.weeks import REFILL_CHUNK
from credits.moments import parse_moment


class Command(BaseCommand):
    help = "Write down the week's refill for every organization that used credits since its last."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", help="Refill as of this moment, such as 2026-11-30T00:00:00Z.")

        parser.add_argument(
            "--chunk",
            type=int,
            default=REFILL_CHUNK,
            help="Organizations per transaction (default: %(default)s).",
        )

    def handle(self, *args: Any, now: str | None, chunk: int, **options: Any) -> None:
        try:
            moment = parse_moment(now) if now else timezone.now()
        except ValueError:
            raise CommandError(f"--now is {now!r}; write it like 2026-11-30T00:00:00Z.") from None
        if settings.PRODUCTION and moment > timezone.now():
            raise CommandError("--now is in the future, and a wallet's time never runs back.")
        if chunk < 1:
            raise CommandError("--chunk must be 1 or more.")
        if moment > timezone.now():
            self.stdout.write("A drill: wallets it refills will live in that week from now on.")
        self.stdout.write(f"Refilling for the week of {ledger.week_start(moment):%Y-%m-%d} (UTC).")
        total = 0
        for refilled in jobs.refill(as_of=moment, now=timezone.now(), chunk=chunk):
            total += refilled
            self.stdout.write(f"  {total:,} organizations so far")
        self.stdout.write(self.style.SUCCESS(f"Done: {total:,} organizations refilled."))

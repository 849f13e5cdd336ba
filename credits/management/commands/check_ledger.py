from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import jobs
from credits.ledger import audit


class Command(BaseCommand):
    help = "Verify that every balance is explained by the ledger; exit status 1 when one is not."

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for finding in jobs.check_ledger(now=timezone.now()):
            self.stderr.write(self.style.ERROR(finding))
            count += 1
        if count:
            raise CommandError(f"{count} rows are off.")
        self.stdout.write(self.style.SUCCESS(f"The ledger is sound: {', '.join(audit.CHECKS)}."))

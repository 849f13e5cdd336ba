from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from credits import second_factors
from credits.models import User


class Command(BaseCommand):
    help = "Take away somebody's lost second factor, so that they can set up a new one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="The address they sign in with.")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(email)
        except User.DoesNotExist:
            raise CommandError(f"Nobody signs in with {email}.") from None
        if not second_factors.take_away(user, now=timezone.now()):
            raise CommandError(f"{user} has no second factor.")
        self.stdout.write(self.style.SUCCESS(f"Removed. {user} signs in with the password alone."))

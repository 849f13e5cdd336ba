import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from credits import origins
from credits.access import create_key, find_access
from credits.models import Membership, Organization, Service, User

STAFF_EMAIL = "staff@example.com"
CUSTOMER_EMAIL = "customer@example.com"
ORGANIZATION_NAME = "Acme Outdoor"


class Command(BaseCommand):
    help = "Make the demo's organization, people and API keys once, and write var/demo.json."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo's sign-ins have no place in production.")
        path = settings.VAR_DIR / "demo.json"
        facts = self._existing(path) or self._seed()
        facts["base_url"] = settings.BASE_URL
        _allow_our_pages(facts["api_key"])
        _write(path, facts)
        self.stdout.write(f"The demo's sign-ins and keys are in {path}.")

    def _existing(self, path: Path) -> dict[str, Any] | None:
        """The facts of an earlier run, if its rows are still there."""
        try:
            facts: dict[str, Any] = json.loads(path.read_text())
            known = Organization.objects.filter(public_id=facts["organization"]).exists()
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return facts if known else None

    @transaction.atomic
    def _seed(self) -> dict[str, Any]:
        named = Organization.objects.filter(name=ORGANIZATION_NAME)
        organization = named.first() or Organization.objects.create(name=ORGANIZATION_NAME)
        staff_password, customer_password = secrets.token_urlsafe(9), secrets.token_urlsafe(9)
        _person(STAFF_EMAIL, staff_password, is_staff=True, is_superuser=True)
        customer = _person(CUSTOMER_EMAIL, customer_password)
        Membership.objects.get_or_create(
            organization=organization, user=customer, defaults={"role": Membership.Role.OWNER}
        )
        _, api_key = create_key(name="Demo", organization=organization)
        service = Service.objects.get(name="Background removal")
        _, service_api_key = create_key(name="Demo", service=service)
        return {
            "base_url": settings.BASE_URL,
            "staff": {"email": STAFF_EMAIL, "password": staff_password},
            "customer": {"email": CUSTOMER_EMAIL, "password": customer_password},
            "organization": organization.public_id,
            "api_key": api_key,
            "service_api_key": service_api_key,
        }


def _person(email: str, password: str, **flags: bool) -> User:
    """The demo's user of this address, with a new password where it exists already."""
    user = User.objects.filter(email=email).first() or User(email=email)
    for name, value in flags.items():
        setattr(user, name, value)
    user.set_password(password)
    user.save()
    return user


def _allow_our_pages(secret: str) -> None:
    """Let pages served here use tokens of a key, also when the port is another than last time."""
    access = find_access(secret, now=timezone.now())
    origin = origins.of(settings.BASE_URL)
    if access and origin not in access.key.allowed_origins:
        access.key.allowed_origins.append(origin)
        access.key.save(update_fields=["allowed_origins"])


def _write(path: Path, facts: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(facts, indent=2) + "\n")

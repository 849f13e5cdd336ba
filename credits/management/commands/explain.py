import json
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from credits import explain_text, ledger
from credits.api.explain_serializers import ExplanationSerializer, SpendExplanationSerializer
from credits.ledger.explaining import why_not
from credits.models import Organization, Spend
from credits.moments import parse_moment

MOMENT = "2026-11-23T12:00:00Z"
NAMED_AT_MOST = 10


class Command(BaseCommand):
    help = "Say where credits went: an organization's balance at a moment, or the story of a spend."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "organization", nargs="?", help="Its public id (org_…) or its exact name."
        )
        parser.add_argument("--at", help=f"The moment, such as {MOMENT} (default: now).")
        parser.add_argument("--spend", help="The id of a spend or hold to explain instead.")
        parser.add_argument("--json", action="store_true", help="Print what the API answers.")

    def handle(
        self,
        *args: Any,
        organization: str | None = None,
        at: str | None = None,
        spend: str | None = None,
        **options: Any,
    ) -> None:
        if (organization is None) == (spend is None):
            raise CommandError("Name either an organization or --spend ID.")
        if spend is not None:
            if at is not None:
                raise CommandError("A spend is told as a whole; leave --at out.")
            self._explain_spend(_spend(spend), options["json"])
        else:
            self._explain(_organization(organization or ""), at, options["json"])

    def _explain(self, organization: Organization, at: str | None, as_json: bool) -> None:
        explanation = ledger.explain(organization, at=_moment(organization, at))
        self._print(
            ExplanationSerializer(explanation).data
            if as_json
            else explain_text.balance_lines(explanation)
        )

    def _explain_spend(self, spend: Spend, as_json: bool) -> None:
        told = ledger.explain_spend(spend)
        self._print(
            SpendExplanationSerializer(told).data if as_json else explain_text.spend_lines(told)
        )

    def _print(self, answer: dict[str, Any] | Iterable[str]) -> None:
        if isinstance(answer, dict):
            as_in_the_api = json.loads(JSONRenderer().render(answer))
            answer = [json.dumps(as_in_the_api, indent=2, ensure_ascii=False)]
        for line in answer:
            self.stdout.write(line)


def _organization(name: str) -> Organization:
    named = Organization.objects.filter(Q(public_id=name) | Q(name=name))
    # PostgreSQL takes no NUL in a text, so none is called like that.
    found = [] if "\0" in name else list(named.order_by("pk")[:NAMED_AT_MOST])
    if not found:
        raise CommandError(
            f"There is no organization {name!r}. Give its public id, which starts with org_ and is "
            "in the admin, or its exact name."
        )
    if len(found) > 1:
        ids = ", ".join(one.public_id for one in found)
        raise CommandError(f"Several organizations are called {name!r}; name one by its id: {ids}.")
    return found[0]


def _moment(organization: Organization, at: str | None) -> datetime:
    now = timezone.now()
    try:
        moment = parse_moment(at) if at is not None else now
    except ValueError:
        raise CommandError(f"--at is {at!r}; write it like {MOMENT}.") from None
    if problem := why_not(organization, at=moment, now=now):
        raise CommandError(f"--at: {problem}")
    return moment


def _spend(text: str) -> Spend:
    try:
        found = Spend.objects.filter(pk=UUID(text)).first()
    except ValueError:
        raise CommandError(
            f"--spend is {text!r}; give the id of a spend, which is a UUID."
        ) from None
    if found is None:
        raise CommandError(f"There is no spend {text}. Its id is in the admin, under Spends.")
    return found

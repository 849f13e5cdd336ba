"""Many spends in one call: each read, made or refused, and answered on its own."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from credits import ledger
from credits.access import Access
from credits.api import base, plain, schema, serializers
from credits.api.problems import describe
from credits.models import Action, Organization


class BatchView(base.ApiView):
    @schema.call("spend_batch", "Spend", request=schema.Batch, answer=schema.BATCH_RESPONSE)
    def post(self, request: Request) -> Response:
        """Spend up to 1,000 times, each made or refused on its own, in one transaction."""
        if "Idempotency-Key" in request.headers:
            message = "A batch has none; give each item an idempotency_key of its own."
            raise exceptions.ValidationError({"Idempotency-Key": [message]})
        access = base.access_of(request)
        items = _items(access, base.checked(serializers.BatchForm, request.data)["spends"])
        made = iter(
            ledger.spend_batch(
                [item for item in items if isinstance(item, ledger.SpendItem)],
                api_key=access.key,
                now=timezone.now(),
            )
        )
        results = [next(made) if isinstance(item, ledger.SpendItem) else item for item in items]
        return Response({"results": [_answer(result) for result in results]})


def _items(access: Access, spends: Sequence[object]) -> list[ledger.SpendItem | Exception]:
    """The items of a batch, each ready for the ledger or the error in it."""
    read = [_read(spend) for spend in spends]
    asked = [item for item in read if isinstance(item, plain.SpendFields)]
    organizations = _named_organizations(access, asked)
    foreign = _foreign_actions(access, asked)
    return [_item(access, item, organizations, foreign) for item in read]


def _read(spend: object) -> plain.SpendFields | Exception:
    """The fields of an item, or what its form finds wrong."""
    fields = plain.batch_item(spend)
    if fields:
        return fields
    try:
        return plain.SpendFields(**base.checked(serializers.BatchItemForm, spend))
    except exceptions.ValidationError as error:
        return error


def _named_organizations(
    access: Access, asked: Sequence[plain.SpendFields]
) -> Mapping[str, Organization]:
    """The organizations that a service's key names, by their public ids; one query for all."""
    names = {item.organization for item in asked if item.organization is not None}
    if access.organization or not names:
        return {}
    # One parameter however many they are, so that it is prepared once.
    found = Organization.objects.raw(
        "SELECT id, public_id, weekly_credits, show_balance FROM credits_organization"
        " WHERE public_id = ANY(%s)",
        [list(names)],
    )
    return {organization.public_id: organization for organization in found}


def _foreign_actions(access: Access, asked: Sequence[plain.SpendFields]) -> set[str]:
    """The codes of actions that there are, but not for this key; one query for all."""
    codes = {item.action for item in asked if not access.may_use(item.action)}
    if not codes:
        return codes
    return set(Action.objects.filter(code__in=codes).values_list("code", flat=True))


def _item(
    access: Access,
    fields: plain.SpendFields | Exception,
    organizations: Mapping[str, Organization],
    foreign: Container[str],
) -> ledger.SpendItem | Exception:
    if isinstance(fields, Exception):
        return fields
    try:
        organization = base.find_organization(access, fields.organization, organizations.get)
        base.check_action(access, fields.action, foreign.__contains__)
    except exceptions.APIException as error:
        return error
    return ledger.SpendItem(
        organization, fields.action, fields.quantity, fields.reference, fields.idempotency_key
    )


def _answer(result: ledger.SpendResult | Exception) -> dict[str, Any]:
    if isinstance(result, ledger.SpendResult):
        body = plain.result_body(result)
        return {"status": 201, "replayed": result.replayed, "spend": body}
    problem = describe(result)
    assert problem
    return {"status": problem["status"], "problem": problem}

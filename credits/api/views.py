"""The calls of the API: a form checked, a verb called, an answer shaped."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from credits import ledger, reports
from credits.access import Access
from credits.api import base, schema, serializers
from credits.api.problems import ApiProblem, next_refill, way_out
from credits.models import Action, Organization, Spend

MAX_USAGE_PERIOD = timedelta(days=366)


class SpendsView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "spend",
        "Spend",
        request=serializers.SpendForm,
        status=201,
        answer=serializers.SpendSerializer,
        problems=("out_of_credits", "spend_limit_reached", "idempotency_conflict"),
        is_idempotent=True,
    )
    def post(self, request: Request) -> Response:
        """Spend credits on an action."""
        access = base.access_of(request)
        order = _order(access, base.checked(serializers.SpendForm, request.data))
        result = ledger.spend(
            **order,
            idempotency_key=base.idempotency_key(request),
            api_key=access.key,
            limit=access.limit,
            now=timezone.now(),
        )
        return _created(result, serializers.SpendSerializer)


class HoldsView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "hold",
        "Hold",
        request=serializers.HoldForm,
        status=201,
        answer=serializers.HoldSerializer,
        problems=("out_of_credits", "spend_limit_reached", "idempotency_conflict"),
        is_idempotent=True,
    )
    def post(self, request: Request) -> Response:
        """Set the credits of an action aside, to capture or release them later."""
        access = base.access_of(request)
        form = base.checked(serializers.HoldForm, request.data)
        result = ledger.hold(
            **_order(access, form),
            expires_in_seconds=form.get("expires_in_seconds"),
            idempotency_key=base.idempotency_key(request),
            api_key=access.key,
            limit=access.limit,
            now=timezone.now(),
        )
        return _created(result, serializers.HoldSerializer)


class CaptureView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "capture",
        "Hold",
        request=serializers.CreditsForm,
        answer=serializers.SpendStateSerializer,
        problems=("not_found", "conflict"),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        """Take all or part of a hold; the rest goes back."""
        form = base.checked(serializers.CreditsForm, request.data)
        hold = base.find_hold(base.access_of(request), hold_id)
        return _state(ledger.capture(hold, credits=form.get("credits"), now=timezone.now()))


class ReleaseView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "release",
        "Hold",
        request=serializers.ReleaseForm,
        answer=serializers.SpendStateSerializer,
        problems=("not_found", "conflict"),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        """Give a hold back."""
        base.checked(serializers.ReleaseForm, request.data)
        hold = base.find_hold(base.access_of(request), hold_id)
        return _state(ledger.release(hold, now=timezone.now()))


class RefundView(base.ApiView):
    @schema.call(
        "refund",
        "Spend",
        request=serializers.CreditsForm,
        answer=serializers.SpendStateSerializer,
        problems=("not_found", "idempotency_conflict"),
        is_idempotent=True,
    )
    def post(self, request: Request, spend_id: UUID) -> Response:
        """Give back all or part of a spend, to the grants it came from."""
        form = base.checked(serializers.CreditsForm, request.data)
        result = ledger.refund(
            base.find_spend(base.access_of(request), spend_id),
            credits=form.get("credits"),
            idempotency_key=base.idempotency_key(request),
            api_key=base.access_of(request).key,
            now=timezone.now(),
        )
        response = _state(result.spend, refunded=result.refunded_credits)
        return _mark_replay(response, result.replayed)


class ActionsView(base.ApiView):
    allows_tokens = True

    @schema.call("list_actions", "Read", answer=schema.ACTIONS_RESPONSE)
    def get(self, request: Request) -> Response:
        """The price list; with a browser token, of what it may spend on."""
        actions = Action.objects.filter(is_active=True).select_related("service")
        access = base.access_of(request)
        if access.token:
            actions = actions.filter(code__in=access.codes or ())
        return Response({"actions": serializers.ActionSerializer(actions, many=True).data})


class CheckView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "check",
        "Read",
        query=serializers.CheckQuery,
        answer=schema.CHECK_RESPONSE,
        problems=("invalid_request", "spend_limit_reached"),
    )
    def get(self, request: Request) -> Response:
        """Whether a spend would be made now, and what to tell the user if not."""
        access = base.access_of(request)
        query = base.checked_query(serializers.CheckQuery, request)
        organization = base.find_organization(access, query.get("organization"))
        base.check_action(access, query["action"])
        try:
            required = ledger.check(
                organization,
                query["action"],
                quantity=query["quantity"],
                limit=access.limit,
                now=timezone.now(),
            )
        except ledger.OutOfCredits as error:
            return Response({"allowed": False, **way_out(error)})
        return Response({"allowed": True, "required": required})


class BalanceView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "get_balance",
        "Read",
        query=serializers.BalanceQuery,
        answer=serializers.BalanceSerializer,
        problems=("invalid_request",),
    )
    def get(self, request: Request) -> Response:
        """What an organization can spend, where staff let it be seen."""
        query = base.checked_query(serializers.BalanceQuery, request)
        organization = _visible_organization(request, query)
        now = timezone.now()
        at = query.get("at")
        if at and at > now:
            raise exceptions.ValidationError({"at": ["Choose a moment that is not in the future."]})
        balance = (
            ledger.balance_at(organization, at=at) if at else ledger.balance(organization, now=now)
        )
        body = {
            "organization": organization.public_id,
            "at": at or now,
            "balance": balance.total,
            "by_kind": balance.by_kind,
            "next_refill": next_refill(organization, now),
        }
        return Response(serializers.BalanceSerializer(body).data)


class UsageView(base.ApiView):
    allows_tokens = True

    @schema.call(
        "get_usage",
        "Read",
        query=serializers.UsageQuery,
        answer=serializers.UsageSerializer,
        problems=("invalid_request",),
    )
    def get(self, request: Request) -> Response:
        """What an organization spent in a period, this week if none is given."""
        query = base.checked_query(serializers.UsageQuery, request)
        organization = _visible_organization(request, query)
        start, end = _period(query, timezone.now())
        rows = reports.usage(organization, start=start, end=end, by=query["by"])
        body = {
            "organization": organization.public_id,
            "from": start,
            "to": end,
            "by": query["by"],
            "credits": sum(row["credits"] for row in rows),
            "usage": rows,
        }
        return Response(serializers.UsageSerializer(body).data)


def _order(access: Access, form: Mapping[str, Any]) -> dict[str, Any]:
    """What a checked form asks the ledger for, if the key may ask it."""
    organization = base.find_organization(access, form.get("organization"))
    base.check_action(access, form["action"])
    return {
        "organization": organization,
        "action": form["action"],
        "quantity": form["quantity"],
        "reference": form["reference"],
    }


def _created(result: ledger.SpendResult, shape: type[serializers.SpendSerializer]) -> Response:
    return _mark_replay(Response(shape(result).data, status=201), result.replayed)


def _mark_replay(response: Response, replayed: bool) -> Response:
    if replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def _state(spend: Spend, **context: int) -> Response:
    return Response(serializers.SpendStateSerializer(spend, context=context).data)


def _visible_organization(request: Request, query: Mapping[str, Any]) -> Organization:
    organization = base.find_organization(base.access_of(request), query.get("organization"))
    if not organization.show_balance:
        raise ApiProblem("forbidden", "Balance and usage are not shown for this organization.")
    return organization


def _period(query: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    end = query.get("to") or now
    start = query.get("from") or ledger.week_start(end)
    if not timedelta() < end - start <= MAX_USAGE_PERIOD:
        message = f"Choose a start before the end, {MAX_USAGE_PERIOD.days} days at most."
        raise exceptions.ValidationError({"from": [message]})
    return start, end

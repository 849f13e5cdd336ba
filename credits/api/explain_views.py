"""The calls for staff keys: where credits went."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from credits import ledger
from credits.api import base, schema
from credits.api.explain_serializers import (
    ExplainQuery,
    ExplanationSerializer,
    SpendExplanationSerializer,
)
from credits.ledger.explaining import why_not
from credits.models import Organization, Spend


class ExplainOrganizationView(base.StaffView):
    needs = ("credits.view_organization", "credits.view_entry")

    @schema.call(
        "explain_organization",
        "Explain",
        query=ExplainQuery,
        answer=ExplanationSerializer,
        problems=("invalid_request", "not_found"),
    )
    def get(self, request: Request, public_id: str) -> Response:
        """The balance of an organization at a moment, grant by grant.

        With the newest entries of each grant, and those before them summed up by kind.
        """
        query = base.checked_query(ExplainQuery, request)
        organization = get_object_or_404(Organization, public_id=public_id)
        now = timezone.now()
        at = query.get("at", now)
        if problem := why_not(organization, at=at, now=now):
            raise exceptions.ValidationError({"at": [problem]})
        return Response(ExplanationSerializer(ledger.explain(organization, at=at)).data)


class ExplainSpendView(base.StaffView):
    needs = ("credits.view_spend", "credits.view_entry")

    @schema.call(
        "explain_spend", "Explain", answer=SpendExplanationSerializer, problems=("not_found",)
    )
    def get(self, request: Request, spend_id: UUID) -> Response:
        """The story of a spend or hold.

        The key, the price then and now, the grants drawn, how a hold ended, and each refund.
        """
        spend = get_object_or_404(Spend, pk=spend_id)
        return Response(SpendExplanationSerializer(ledger.explain_spend(spend)).data)

"""The call that makes browser tokens."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from credits import origins, tokens
from credits.access import Access
from credits.api import base, schema, serializers
from credits.api.problems import ApiProblem
from credits.models import Action


class TokensView(base.ApiView):
    @schema.call(
        "create_token",
        "Web pages",
        request=serializers.TokenForm,
        status=201,
        answer=serializers.TokenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Make a token with which a web page may spend, for a while and up to a limit."""
        access = base.access_of(request)
        form = base.checked(serializers.TokenForm, request.data)
        organization = base.find_organization(access, form.get("organization"))
        token, secret = tokens.issue(
            access.key,
            organization,
            actions=_allowed_actions(access, form["actions"]),
            origins=_allowed_origins(access, form["origins"]),
            spend_limit=form["spend_limit"],
            expires_in_seconds=form["expires_in_seconds"],
            now=timezone.now(),
        )
        body = {
            "token": secret,
            "organization": organization.public_id,
            "actions": sorted(token.codes),
            "origins": sorted(token.origins),
            "spend_limit": token.spend_limit,
            "expires_at": token.expires_at,
        }
        headers = {"Cache-Control": "no-store"}
        return Response(serializers.TokenSerializer(body).data, status=201, headers=headers)


def _allowed_actions(access: Access, codes: list[str]) -> list[str]:
    sold = Action.objects.filter(code__in=codes, is_active=True).values_list("code", flat=True)
    if unknown := set(codes) - set(sold):
        message = f"There is no action {min(unknown)!r}. GET /api/v1/actions lists them."
        raise exceptions.ValidationError({"actions": [message]})
    for code in codes:
        base.check_action(access, code)
    return codes


def _allowed_origins(access: Access, texts: Iterable[str]) -> list[str]:
    try:
        asked = [origins.normalize(text) for text in texts]
    except ValidationError as error:
        raise exceptions.ValidationError({"origins": error.messages}) from error
    for origin in asked:
        if origin not in access.key.allowed_origins:
            raise ApiProblem(
                "forbidden",
                f"This key does not allow pages of {origin}. Add it to the key's allowed origins "
                "under “API keys” first.",
            )
    return asked

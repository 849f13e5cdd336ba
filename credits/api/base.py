"""What every call of the API shares."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from credits.access import Access
from credits.api.authentication import (
    ApiKeyAuthentication,
    HasApiKey,
    MayExplain,
    StaffKeyAuthentication,
)
from credits.api.parsers import LimitedJSONParser
from credits.api.problems import PROBLEMS, ApiProblem
from credits.api.serializers import IDEMPOTENCY_KEY, Form
from credits.api.throttling import ApiKeyThrottle
from credits.models import MAX_IDEMPOTENCY_KEY_LENGTH, Action, Organization, Spend

LookUp = Callable[[str], Organization | None]
IsThere = Callable[[str], bool]


class NoNegotiation(BaseContentNegotiation):
    """Each address answers in the one format it has, whatever the `Accept` header says."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        is_json = request.content_type.split(";")[0].strip().lower() == "application/json"
        return next(iter(parsers)) if is_json else None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


class ApiView(APIView):
    """A call made with an API key, or with a browser token where it says so."""

    allows_tokens = False

    authentication_classes: tuple[type[BaseAuthentication], ...] = (ApiKeyAuthentication,)
    permission_classes: tuple[type[BasePermission], ...] = (HasApiKey,)
    throttle_classes = (ApiKeyThrottle,)
    content_negotiation_class = NoNegotiation
    parser_classes = (LimitedJSONParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body without a length: Django would take it for empty, which means "all"."""
        if "HTTP_TRANSFER_ENCODING" in request.META:
            raise ApiProblem("length_required", PROBLEMS["length_required"].meaning)
        super().initial(request, *args, **kwargs)


class StaffView(ApiView):
    """A call made with a staff key, whose owner has the permissions that it `needs`."""

    needs: tuple[str, ...] = ()

    authentication_classes = (StaffKeyAuthentication,)
    permission_classes = (MayExplain,)


def access_of(request: Request) -> Access:
    """The key of an authenticated request and what it may do."""
    assert isinstance(request.auth, Access)
    return request.auth


def checked(form_class: type[Form], data: Any) -> dict[str, Any]:
    """A request's fields as their form reads them. Raises ValidationError naming the wrong ones."""
    form = form_class(data=data)
    form.is_valid(raise_exception=True)
    fields: dict[str, Any] = form.validated_data
    return fields


def checked_query(form_class: type[Form], request: Request) -> dict[str, Any]:
    """The fields of a request's query, checked by their form; an empty one counts as given."""
    # As a plain dictionary: of a QueryDict DRF takes an empty value for an absent one.
    return checked(form_class, request.query_params.dict())


def idempotency_key(request: Request) -> str | None:
    """The request's `Idempotency-Key`, or None without one."""
    key: str | None = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.match(key):
        raise exceptions.ValidationError(
            {
                "Idempotency-Key": [
                    f"Use 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} plain characters, such as a UUID."
                ]
            }
        )
    return key


def look_up_organization(public_id: str) -> Organization | None:
    return Organization.objects.filter(public_id=public_id).first()


def find_organization(
    access: Access, public_id: str | None, look_up: LookUp = look_up_organization
) -> Organization:
    """The organization a request is about: the key's own, or the one a service's key names."""
    own = access.organization
    if own is None:
        return _named_organization(public_id, look_up)
    if public_id not in (None, own.public_id):
        message = "This key or token belongs to another organization; leave it out."
        raise ApiProblem("forbidden", message)
    return own


def _named_organization(public_id: str | None, look_up: LookUp) -> Organization:
    if public_id is None:
        message = "A service's key names the organization it spends for, by its public id."
        raise exceptions.ValidationError({"organization": [message]})
    organization = look_up(public_id)
    if organization is None:
        message = (
            "There is no such organization. Its id starts with org_ and is shown in the admin."
        )
        raise exceptions.ValidationError({"organization": [message]})
    return organization


def action_is_there(code: str) -> bool:
    return Action.objects.filter(code=code).exists()


def check_action(access: Access, code: str, is_there: IsThere = action_is_there) -> None:
    """Refuse an action that the key may not spend; one that nobody sells is left to the ledger."""
    if not access.may_use(code) and is_there(code):
        message = f"This key or token may not spend {code}. Use one that may."
        raise ApiProblem("forbidden", message)


def find_spend(access: Access, spend_id: UUID) -> Spend:
    """The spend or hold with this id; Http404 where there is none or the key may not see it."""
    spends = Spend.objects.select_related("organization", "action")
    if access.organization:
        spends = spends.filter(organization=access.organization)
    found = spends.filter(pk=spend_id).first()
    if found is None or not access.may_use(found.action.code):
        raise Http404
    return found


def find_hold(access: Access, hold_id: UUID) -> Spend:
    """Like `find_spend`, for what was made as a hold."""
    found = find_spend(access, hold_id)
    if found.hold_expires_at is None:
        raise Http404
    return found

"""The connection to Stripe, its errors, and what its objects have in common."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import stripe
from django.conf import settings

# Usage telemetry would write an id into the home folder and report on our requests.
stripe.enable_telemetry = False

MAX_NETWORK_RETRIES = 2
PAGE_SIZE = 100
_HTTP_CONFLICT = 409
_HTTP_SERVER_ERROR = 500

Object = TypeVar("Object", bound=stripe.StripeObject)


class GatewayError(Exception):
    """Stripe did not do what we asked."""


class PaymentServiceUnavailable(GatewayError):
    """Stripe cannot be reached or is failing; the same request may work later."""


class PaymentServiceFailed(PaymentServiceUnavailable):
    """Stripe broke while it did it, and will say so again to the same key for a day.

    https://docs.stripe.com/api/idempotent_requests
    """


class PaymentServiceRefused(GatewayError):
    """Stripe understood the request and refuses it; repeating it will not help."""


class UnknownCustomer(PaymentServiceRefused):
    """Stripe has no customer of this id (any more)."""


class UnknownSession(PaymentServiceRefused):
    """Stripe has no session of this id: it was made with the key of another account, or mode."""


def client() -> stripe.StripeClient:
    return _client_for(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


@cache
def _client_for(api_key: str, api_base: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        api_key,
        stripe_version=settings.STRIPE_API_VERSION,
        base_addresses={"api": api_base},
        max_network_retries=MAX_NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS),
    )


@contextmanager
def gateway_errors(missing: type[PaymentServiceRefused] = PaymentServiceRefused) -> Iterator[None]:
    """Turn the SDK's errors into ours; `missing` is for an id that Stripe does not know."""
    try:
        yield
    except stripe.APIError as error:
        failed = (error.http_status or 0) >= _HTTP_SERVER_ERROR
        raise (PaymentServiceFailed if failed else PaymentServiceUnavailable)(str(error)) from error
    except (
        stripe.APIConnectionError,
        stripe.RateLimitError,
        # Our key is wrong or may not do this: our fault, and not that of what was asked for.
        stripe.AuthenticationError,
        stripe.PermissionError,
    ) as error:
        raise PaymentServiceUnavailable(str(error)) from error
    except stripe.StripeError as error:
        if error.code == "resource_missing":
            raise missing(str(error)) from error
        # The same request is under way elsewhere (https://docs.stripe.com/api/errors).
        if error.http_status == _HTTP_CONFLICT:
            raise PaymentServiceUnavailable(str(error)) from error
        raise PaymentServiceRefused(str(error)) from error


def every_page(page: stripe.ListObject[Object]) -> Iterator[tuple[Object, datetime]]:
    """Each object of a list and of all pages after it, with when Stripe told it."""
    while True:
        for item in page.data:
            yield item, told_at(page)
        if not page.has_more:
            return
        page = page.next_page()


def told_at(answer: stripe.StripeObject) -> datetime:
    """When Stripe answered, by its own clock, which also stamps its events."""
    assert answer.last_response is not None
    headers: Mapping[str, str] = answer.last_response.headers or {}
    return parsedate_to_datetime(headers["Date"])


def moment(timestamp: int) -> datetime:
    """A moment as Stripe writes them, in seconds since 1970."""
    return datetime.fromtimestamp(timestamp, UTC)


def id_of(reference: Any) -> str:
    """The id of what an object refers to, whether Stripe expanded it or not; "" for nothing."""
    if isinstance(reference, Mapping):
        return str(reference["id"])
    return reference or ""


def uuid_of(text: str | None) -> UUID | None:
    """An id of ours that Stripe kept for us; None where there is none."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

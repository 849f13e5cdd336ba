"""A client of the Credits API: this one file, Python 3.10 or newer, the standard library alone.

    Credits(os.environ["CREDITS_API_KEY"]).spend("alt-text.generate", reference="image-17")

What you spend comes back as a `Spend`, what you read as the JSON object the API guide shows. Each
spend, hold and refund carries an idempotency key, made for it and kept through its retries, so an
answer that gets lost is asked for again and nothing is spent twice. A client keeps no connection
and no state: make one and use it from every thread.
"""

import copy
import json
import random
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from http.client import HTTPException, HTTPMessage
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

__version__ = "1.0.0"

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.25, 10.0

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """A spend or a hold as it stood when the call was answered, in whole credits.

    A new spend or hold has `drawn` (the grants that paid, each with `grant`, `kind` and `credits`)
    and `balance` where the organization may see it, a new hold `expires_at`; what a capture,
    release or refund answers has `released` and `refunded`.
    """

    id: str
    organization: str
    action: str
    quantity: int
    credits: int
    status: str
    reference: str
    created_at: datetime
    expires_at: datetime | None = None
    drawn: Sequence[Body] = ()
    balance: int | None = None
    released: int = 0
    refunded: int = 0
    replayed: bool = False


class CreditsError(Exception):
    """A call that was refused or failed; `detail` says why and what to do, in one sentence or two.

    `status` is the HTTP status (0 without an answer), `code` the problem's code, `errors` the wrong
    fields, each a `field` and a `message`, and `request_id` what to tell us when you ask for help.
    """

    def __init__(self, detail: str, status: int, problem: Body) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code: str = problem.get("code", "")
        self.errors: list[dict[str, str]] = problem.get("errors", [])
        self.request_id = ""
        self.retry_after_seconds: float | None = None


class InvalidRequest(CreditsError):
    """400: something in the request is missing or wrong; `errors` names it."""


class Unauthorized(CreditsError):
    """401: the key is mistyped, revoked or expired."""


class OutOfCredits(CreditsError):
    """402: nothing was spent. Show `detail` and a link to `top_up_url`.

    `required` credits were needed; `next_refill` has `at` and `credits`, and is None where no free
    credits come.
    """

    def __init__(self, detail: str, status: int, problem: Body) -> None:
        super().__init__(detail, status, problem)
        self.required: int = problem.get("required", 0)
        self.next_refill: Body | None = problem.get("next_refill")
        self.top_up_url: str = problem.get("top_up_url", "")


class Forbidden(CreditsError):
    """403: the key is good, but not for this."""


class NotFound(CreditsError):
    """404: there is no such spend or hold for your key."""


class Conflict(CreditsError):
    """409: the hold was captured, released or has expired."""


class IdempotencyConflict(CreditsError):
    """422: the idempotency key was used before, for a different request."""


class RateLimited(CreditsError):
    """429: too many requests; come back after `retry_after_seconds`."""


class ServerError(CreditsError):
    """5xx: our failure. Repeating the call with the same idempotency key spends once at most."""


class Unreachable(CreditsError):
    """No answer came. Repeating with the same idempotency key spends once at most."""


ERRORS: dict[int, type[CreditsError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    402: OutOfCredits,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: IdempotencyConflict,
    429: RateLimited,
}


class Credits:
    """The Credits API with one key; every method raises a `CreditsError` where it is refused.

    A service's key names the `organization` (`org_…`) it spends for; see `for_organization`.
    `timeout_seconds` is the longest wait for one answer, and `max_retries` how often a call is
    repeated when no answer comes, or one that says to try again (429 and 5xx).
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "https://credits.example.com",
        organization: str | None = None,
        timeout_seconds: float = 10,
        max_retries: int = 3,
    ) -> None:
        if not base_url.startswith(("https://", "http://")):
            raise ValueError("base_url starts with https://, or with http:// on your own machine.")
        self.timeout_seconds = timeout_seconds
        self.max_retries = max_retries
        self._api_url = f"{base_url.rstrip('/')}/api/v1"
        self._own = _given(organization=organization)
        self._headers = {
            "Authorization": f"Bearer {api_key.strip()}",
            "User-Agent": f"credits-python/{__version__}",
        }

    def for_organization(self, organization: str) -> "Credits":
        """The same client, spending for another organization, as a service's key may."""
        other = copy.copy(self)
        other._own = {"organization": organization}
        return other

    def spend(
        self,
        action: str,
        *,
        quantity: int = 1,
        reference: str = "",
        idempotency_key: str | None = None,
    ) -> Spend:
        """Spend `quantity` uses of an action; give an `idempotency_key` to repeat it yourself."""
        order = self._order(action, quantity, reference)
        return _spend(self._post("spends", order, key=idempotency_key or _new_key()))

    def hold(
        self,
        action: str,
        *,
        quantity: int = 1,
        reference: str = "",
        expires_in_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> "Hold":
        """Set credits aside for work whose cost or success is not known yet (1 to 86,400 s)."""
        body = self._order(action, quantity, reference)
        body.update(_given(expires_in_seconds=expires_in_seconds))
        return Hold(self, _spend(self._post("holds", body, key=idempotency_key or _new_key())))

    def capture(self, hold_id: str, *, credits: int | None = None) -> Spend:
        """Take all of a hold, or `credits` of it; the rest goes back."""
        return _spend(self._post(f"holds/{hold_id}/capture", _given(credits=credits)))

    def release(self, hold_id: str) -> Spend:
        """Give a hold back."""
        return _spend(self._post(f"holds/{hold_id}/release", {}))

    def refund(
        self, spend_id: str, *, credits: int | None = None, idempotency_key: str | None = None
    ) -> Spend:
        """Give back what is left of a spend, or `credits` of it, to the grants it came from."""
        body, key = _given(credits=credits), idempotency_key or _new_key()
        return _spend(self._post(f"spends/{spend_id}/refund", body, key=key))

    def spend_batch(self, spends: Iterable[Body]) -> list[Spend | CreditsError]:
        """Spend up to 1,000 times in one request, each made or refused on its own.

        Each of `spends` has the fields of a spend, and if you like an `idempotency_key`. The list
        has, in their order, what `spend` would return or raise.
        """
        items = [{**self._own, "idempotency_key": _new_key(), **spend} for spend in spends]
        results = self._post("spends/batch", {"spends": items})["results"]
        return [_batch_result(result) for result in results]

    def check(self, action: str, *, quantity: int = 1) -> Body:
        """Whether a spend would be `allowed` now, and if not, what to tell the user."""
        return self._get("check", action=action, quantity=quantity, **self._own)

    def actions(self) -> Sequence[Body]:
        """The price list: of each action its `code`, `service`, `name` and price in `credits`."""
        return list(self._get("actions")["actions"])

    def balance(self, *, at: datetime | None = None) -> Body:
        """What can be spent, now or `at` a moment before; Forbidden where it is not shown."""
        return self._get("balance", at=at, **self._own)

    def usage(
        self, *, start: datetime | None = None, end: datetime | None = None, by: str = "action"
    ) -> Body:
        """What was spent by `action`, `service` or `day`; Forbidden where it is not shown."""
        return self._get("usage", **{"from": start, "to": end, "by": by}, **self._own)

    def create_token(
        self, actions: Iterable[str], *, origins: Iterable[str], spend_limit: int, **more: Any
    ) -> Body:
        """A `token` for your web page; `expires_in_seconds`, 1 to 900, can be given too."""
        lists = {"actions": list(actions), "origins": list(origins)}
        return self._post("tokens", {**lists, "spend_limit": spend_limit, **more, **self._own})

    def _order(self, action: str, quantity: int, reference: str) -> dict[str, Any]:
        return {"action": action, "quantity": quantity, "reference": reference, **self._own}

    def _get(self, path: str, **query: object) -> Body:
        given = {name: _as_text(value) for name, value in _given(**query).items()}
        url = f"{self._api_url}/{path}?{urlencode(given)}"
        return self._send(Request(url, headers=self._headers))  # noqa: S310

    def _post(self, path: str, body: Body, *, key: str | None = None) -> Body:
        headers = {**self._headers, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        url = f"{self._api_url}/{quote(path)}"
        return self._send(Request(url, json.dumps(body).encode(), headers))  # noqa: S310

    def _send(self, request: Request) -> Body:
        for attempt in range(self.max_retries):
            try:
                return self._answer(request)
            except CreditsError as error:
                wait_seconds = _wait_seconds(error, attempt)
                if wait_seconds is None:
                    raise
            time.sleep(wait_seconds)
        return self._answer(request)

    def _answer(self, request: Request) -> Body:
        """One attempt. Raises the error that the answer is, or Unreachable without one."""
        try:
            with _opener.open(request, timeout=self.timeout_seconds) as response:
                return _body(response.read(), response.headers)
        except HTTPError as error:
            with error:
                refusal = _refusal(error)
            raise refusal from None
        except (OSError, HTTPException) as error:
            raise Unreachable(f"No answer from {self._api_url}: {error}", 0, {}) from error


class Hold:
    """Credits set aside, as `spend` tells; what a `with` block does not capture is released.

    >>> with credits.hold("background.remove", quantity=10) as hold:
    ...     hold.capture(credits=remove_backgrounds())
    """

    def __init__(self, credits: Credits, spend: Spend) -> None:
        self._credits = credits
        self._settled = False
        self.spend = spend
        self.id = spend.id

    def capture(self, *, credits: int | None = None) -> Spend:
        """Take all of the hold, or `credits` of it; the rest goes back."""
        return self._settle(self._credits.capture(self.id, credits=credits))

    def release(self) -> Spend:
        """Give all of it back."""
        return self._settle(self._credits.release(self.id))

    def _settle(self, spend: Spend) -> Spend:
        self._settled = True
        return spend

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The block's own error is not hidden by ours: the hold lets go by itself in the end. And
        # a capture whose answer was lost may have been made.
        with suppress(CreditsError if kind else Conflict):
            if not self._settled:
                self.release()


class _NoRedirects(HTTPRedirectHandler):
    # An address that moved is an error: following it would send the key to somebody else.
    def redirect_request(self, *args: object) -> None:
        return None


_opener = build_opener(_NoRedirects)


def _body(content: bytes, headers: HTTPMessage) -> Body:
    body = _json(content)
    if body is None:
        raise Unreachable("Something else than the Credits API answered.", 0, {})
    return {**body, "replayed": True} if "Idempotent-Replayed" in headers else body


def _json(content: bytes) -> Body | None:
    with suppress(ValueError):
        body = json.loads(content)
        return body if isinstance(body, dict) else None
    return None


def _refusal(answer: HTTPError) -> CreditsError:
    problem: Body = {}
    with suppress(OSError, HTTPException):
        problem = _json(answer.read()) or {}
    detail = str(problem.get("detail") or f"The server answered {answer.code} {answer.reason}.")
    error = _error(answer.code, detail, problem)
    error.request_id = answer.headers.get("X-Request-ID", "")
    with suppress(ValueError):
        error.retry_after_seconds = max(0.0, float(answer.headers.get("Retry-After", "")))
    return error


def _error(status: int, detail: str, problem: Body) -> CreditsError:
    unlisted = ServerError if status >= 500 else CreditsError
    return ERRORS.get(status, unlisted)(detail, status, problem)


def _wait_seconds(error: CreditsError, attempt: int) -> float | None:
    """How long to wait before the next attempt; None where another one is of no use."""
    if not isinstance(error, Unreachable) and error.status not in RETRIED_STATUSES:
        return None
    if error.retry_after_seconds is None:
        longest: float = min(FIRST_WAIT_SECONDS * 2**attempt, MAX_WAIT_SECONDS)
        # Half of it by chance, so that many clients do not come back at the same moment.
        return longest * random.uniform(0.5, 1)  # noqa: S311 no secret
    return error.retry_after_seconds if error.retry_after_seconds <= MAX_WAIT_SECONDS else None


def _new_key() -> str:
    return str(uuid.uuid4())


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _as_text(value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("Give a datetime with a time zone, such as datetime.now(timezone.utc).")
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _spend(body: Body) -> Spend:
    # What is new in the API since this file was written is left out.
    found = {field.name: body[field.name] for field in fields(Spend) if field.name in body}
    for name in found.keys() & {"created_at", "expires_at"}:
        # Python 3.10 does not know the Z.
        found[name] = datetime.fromisoformat(found[name].replace("Z", "+00:00"))
    return Spend(**found)


def _batch_result(result: Body) -> Spend | CreditsError:
    if "spend" in result:
        return _spend({**result["spend"], "replayed": result["replayed"]})
    return _error(result["status"], result["problem"]["detail"], result["problem"])

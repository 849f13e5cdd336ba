"""What the sandbox refuses, in Stripe's words (https://docs.stripe.com/api/errors)."""

from typing import ClassVar


class Refused(Exception):
    """A request Stripe would refuse; `param` names the guilty part as `a[0][b]`."""

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "invalid_request_error"

    def __init__(self, message: str, *, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Missing(Refused):
    """The address names something that is not there."""

    status = 404

    def __init__(self, what: str, missing_id: str, *, param: str) -> None:
        super().__init__(no_such(what, missing_id), code="resource_missing", param=param)


class Unauthorized(Refused):
    """The API key is missing or wrong."""

    status = 401


class Unrecognized(Refused):
    """There is no such address, or not for this method."""

    status = 404


class KeyUsedOtherwise(Refused):
    """The idempotency key belongs to another request."""

    kind = "idempotency_error"


def no_such(what: str, missing_id: str) -> str:
    return f"No such {what}: '{missing_id}'"

"""What the ledger refuses, and what the caller needs to say why."""

from datetime import datetime

from credits.models import Organization


class LedgerError(Exception):
    """A refusal; nothing was changed."""


class OutOfCredits(LedgerError):
    """`required` credits were needed at the moment `at` and only `available` were there."""

    def __init__(
        self, organization: Organization, *, required: int, available: int, at: datetime
    ) -> None:
        super().__init__(f"{required} credits are needed and {available} are available.")
        self.organization = organization
        self.required = required
        self.available = available
        self.at = at


class IdempotencyConflict(LedgerError):
    """The idempotency key was used before, for a different request."""


class OrganizationSuspended(LedgerError):
    """The organization may not spend."""


class TokenLimitReached(LedgerError):
    """The browser token would spend more than its limit."""


class UnknownAction(LedgerError):
    """No action on sale has this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"There is no action {code!r}.")
        self.code = code


class AlreadyLapsed(LedgerError):
    """The credits would lapse before they are given: the wallet's time is past their expiry."""


class GrantEmpty(LedgerError):
    """Nothing remains in the grant: its credits are used, taken back or lapsed."""


class HoldClosed(LedgerError):
    """The hold was captured, released or has expired; `status` says which."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The hold is {status}.")
        self.status = status


class TooManyCredits(LedgerError):
    """More was asked for than the `left` credits that can be captured, refunded or collected."""

    def __init__(self, left: int) -> None:
        super().__init__(f"Only {left} credits are left.")
        self.left = left

"""Whether a spend would be made, without making it."""

from datetime import datetime

from credits.ledger.balances import balance
from credits.ledger.errors import (
    OrganizationSuspended,
    OutOfCredits,
    TokenLimitReached,
    UnknownAction,
)
from credits.ledger.spending import SpendLimit
from credits.models import Action, Organization, TokenUse


def check(
    organization: Organization,
    action: str,
    *,
    quantity: int = 1,
    limit: SpendLimit | None = None,
    now: datetime,
) -> int:
    """The credits that `spend` would take now; raises what it would raise, and changes nothing.

    >>> ledger.check(acme, "alt-text.generate", quantity=2, now=now)
    2
    """
    if organization.is_suspended:
        raise OrganizationSuspended()
    found = Action.objects.filter(code=action, is_active=True).first()
    if found is None:
        raise UnknownAction(action)
    required = found.credits * quantity
    if limit and _used(limit) + required > limit.credits:
        raise TokenLimitReached()
    available = balance(organization, now=now).total
    if available < required:
        raise OutOfCredits(organization, required=required, available=available, at=now)
    return required


def _used(limit: SpendLimit) -> int:
    used = TokenUse.objects.filter(pk=limit.token_id).values_list("credits", flat=True).first()
    return used or 0

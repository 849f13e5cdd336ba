"""Ids in the form of Stripe's, like `evt_1f9a…`."""

import secrets
import time


def new_id(prefix: str) -> str:
    """A new id; later ones come later in order, so that they tell what came first in an instant."""
    return f"{prefix}_{time.time_ns():016x}{secrets.token_hex(6)}"


def new_customer_id() -> str:
    return new_id("cus")


def new_session_id() -> str:
    return new_id("cs_test")


def new_promotion_code_id() -> str:
    return new_id("promo")


def new_payment_id() -> str:
    return new_id("pi")


def new_charge_id() -> str:
    return new_id("ch")


def new_refund_id() -> str:
    return new_id("re")


def new_dispute_id() -> str:
    return new_id("du")


def new_invoice_id() -> str:
    return new_id("in")


def new_event_id() -> str:
    return new_id("evt")

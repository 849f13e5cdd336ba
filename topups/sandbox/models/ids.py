"""Ids in the form of Stripe's, like `evt_1f9a…`."""

import secrets


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(14)}"


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

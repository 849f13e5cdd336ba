"""Everything as Stripe's API shows it."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from topups.sandbox import payments
from topups.sandbox.models import Customer, Dispute, Invoice, Payment, Refund, Session
from topups.sandbox.tax import tax_id_type

Json = dict[str, Any]


def customer(found: Customer) -> Json:
    if found.deleted_at:
        return {"id": found.pk, "object": "customer", "deleted": True}
    return {
        "id": found.pk,
        "object": "customer",
        "address": _address(found.country, found.postal_code),
        "balance": 0,
        "created": _seconds(found.created_at),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": found.email or None,
        "livemode": False,
        "metadata": found.metadata,
        "name": found.name or None,
        "phone": None,
        "shipping": None,
    }


def session(found: Session) -> Json:
    is_open = found.status == Session.Status.OPEN
    invoice_id = Invoice.objects.filter(session=found).values_list("id", flat=True).first()
    return {
        "id": found.pk,
        "object": "checkout.session",
        "allow_promotion_codes": found.allow_promotion_codes or None,
        "amount_subtotal": found.amount_subtotal,
        "amount_total": found.amount_total,
        "automatic_tax": {"enabled": found.automatic_tax, "status": _tax_status(found)},
        "billing_address_collection": found.billing_address_collection,
        "cancel_url": found.cancel_url or None,
        "client_reference_id": found.client_reference_id or None,
        "created": _seconds(found.created_at),
        "currency": found.currency,
        "customer": found.customer_id,
        "customer_creation": None if found.customer_id else "if_required",
        "customer_details": _customer_details(found),
        "customer_email": found.customer_email or None,
        "discounts": _discounts(found),
        "expires_at": _seconds(found.expires_at),
        "invoice": invoice_id,
        "invoice_creation": {
            "enabled": found.invoice_creation,
            "invoice_data": {
                "description": found.invoice_data.get("description") or None,
                "metadata": found.invoice_data.get("metadata") or {},
            },
        },
        "livemode": False,
        "metadata": found.metadata,
        "mode": "payment",
        "payment_intent": found.payment_id,
        "payment_method_types": found.payment_method_types,
        "payment_status": found.payment_status,
        "status": found.status,
        "success_url": found.success_url,
        "tax_id_collection": {"enabled": found.tax_id_collection, "required": "never"},
        "total_details": {
            "amount_discount": found.amount_discount,
            "amount_shipping": 0,
            "amount_tax": found.amount_tax,
        },
        "ui_mode": "hosted_page",
        "url": page_url(found) if is_open else None,
    }


def page_url(found: Session) -> str:
    return _absolute("sandbox-pay", found.pk)


def _tax_status(found: Session) -> str | None:
    if not found.automatic_tax:
        return None
    return "complete" if found.country else "requires_location_inputs"


def _customer_details(found: Session) -> Json | None:
    if not (found.billing_email or found.billing_name or found.country):
        return None
    tax_ids = [{"type": tax_id_type(found.country), "value": found.tax_id}]
    return {
        "address": _address(found.country, found.postal_code),
        "email": found.billing_email or None,
        "name": found.billing_name or None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": tax_ids if found.tax_id else [],
    }


def _discounts(found: Session) -> list[Json]:
    if not found.promotion_code_id:
        return []
    return [{"coupon": None, "promotion_code": found.promotion_code_id}]


def payment_intent(found: Payment) -> Json:
    succeeded = found.status == Payment.Status.SUCCEEDED
    failure = {
        "code": "payment_intent_payment_attempt_failed",
        "message": found.failure_message,
        "type": "invalid_request_error",
    }
    return {
        "id": found.pk,
        "object": "payment_intent",
        "amount": found.amount,
        "amount_capturable": 0,
        "amount_received": found.amount if succeeded else 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "created": _seconds(found.created_at),
        "currency": found.currency,
        "customer": found.customer_id,
        "description": found.description or None,
        "last_payment_error": failure if found.failure_message else None,
        "latest_charge": found.charge_id,
        "livemode": False,
        "metadata": found.metadata,
        "payment_method_types": [found.method],
        "status": found.status,
    }


_CHARGE_STATUS = {
    Payment.Status.PROCESSING: "pending",
    Payment.Status.SUCCEEDED: "succeeded",
    Payment.Status.FAILED: "failed",
    Payment.Status.CANCELED: "failed",
}


def charge(found: Payment) -> Json:
    refunded = payments.refunded(found)
    succeeded = found.status == Payment.Status.SUCCEEDED
    return {
        "id": found.charge_id,
        "object": "charge",
        "amount": found.amount,
        "amount_captured": found.amount if succeeded else 0,
        "amount_refunded": refunded,
        "captured": succeeded,
        "created": _seconds(found.created_at),
        "currency": found.currency,
        "customer": found.customer_id,
        "description": found.description or None,
        "disputed": found.disputes.exists(),
        "failure_message": found.failure_message or None,
        "livemode": False,
        "metadata": found.metadata,
        "paid": succeeded,
        "payment_intent": found.pk,
        "payment_method_details": {"type": found.method, found.method: {}},
        "receipt_url": _absolute("sandbox-receipt", found.charge_id) if succeeded else None,
        "refunded": refunded == found.amount,
        "status": _CHARGE_STATUS[Payment.Status(found.status)],
    }


def refund(found: Refund) -> Json:
    shown = {
        "id": found.pk,
        "object": "refund",
        "amount": found.amount,
        "charge": found.payment.charge_id,
        "created": _seconds(found.created_at),
        "currency": found.payment.currency,
        "metadata": found.metadata,
        "payment_intent": found.payment_id,
        "pending_reason": "processing" if found.status == Refund.Status.PENDING else None,
        "reason": found.reason or None,
        "receipt_number": None,
        "status": found.status,
    }
    # As at Stripe, only a failed refund has the field at all.
    return {**shown, "failure_reason": found.failure_reason} if found.failure_reason else shown


def dispute(found: Dispute) -> Json:
    return {
        "id": found.pk,
        "object": "dispute",
        "amount": found.amount,
        "balance_transactions": _balance_transactions(found),
        "charge": found.payment.charge_id,
        "created": _seconds(found.created_at),
        "currency": found.payment.currency,
        "evidence_details": {
            "due_by": _seconds(found.due_by),
            "has_evidence": found.submissions > 0,
            "past_due": False,
            "submission_count": found.submissions,
        },
        "is_charge_refundable": payments.left_to_refund(found.payment) > 0,
        "livemode": False,
        "metadata": {},
        "payment_intent": found.payment_id,
        "reason": found.reason,
        "status": found.status,
    }


def _balance_transactions(found: Dispute) -> list[Json]:
    """Empty while it is a warning; the money taken, and the money given back once it is won."""
    moved = [(found.withdrawn_at, -found.amount, "dispute")]
    moved.append((found.reinstated_at, found.amount, "dispute_reversal"))
    return [
        {
            "id": f"txn_{category}_{found.pk}",
            "object": "balance_transaction",
            "amount": amount,
            "created": _seconds(at),
            "currency": found.payment.currency,
            "fee": 0,
            "net": amount,
            "reporting_category": category,
            "source": found.pk,
            "type": "adjustment",
        }
        for at, amount, category in moved
        if at
    ]


def invoice(found: Invoice) -> Json:
    sale = found.session
    url = _absolute("sandbox-invoice", found.id)
    return {
        "id": found.id,
        "object": "invoice",
        "amount_due": sale.amount_total,
        "amount_paid": sale.amount_total,
        "amount_remaining": 0,
        "created": _seconds(found.created_at),
        "currency": sale.currency,
        "customer": sale.customer_id,
        "customer_address": _address(sale.country, sale.postal_code),
        "customer_email": sale.billing_email or None,
        "customer_name": sale.billing_name or None,
        "description": sale.invoice_data.get("description") or None,
        "hosted_invoice_url": url,
        "invoice_pdf": url,
        "livemode": False,
        "metadata": sale.invoice_data.get("metadata") or {},
        "number": invoice_number(found),
        "status": "paid",
        "subtotal": sale.amount_subtotal,
        "total": sale.amount_total,
    }


def invoice_number(found: Invoice) -> str:
    return f"SANDBOX-{found.number:04}"


def _address(country: str, postal_code: str) -> Json | None:
    if not country:
        return None
    return {
        "city": None,
        "country": country,
        "line1": None,
        "line2": None,
        "postal_code": postal_code or None,
        "state": None,
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _absolute(name: str, pk: str) -> str:
    return f"{settings.BASE_URL}{reverse(name, args=[pk])}"

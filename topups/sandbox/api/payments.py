"""Payments, refunds, disputes and invoices over HTTP."""

from typing import Any

from django.utils import timezone

from topups.sandbox import disputes, params, payments, refunds, resources
from topups.sandbox.errors import Missing
from topups.sandbox.expansion import expanded
from topups.sandbox.listing import listed, wanted
from topups.sandbox.models import Dispute, Invoice, Refund

Json = dict[str, Any]
PAYMENT_COLUMNS = {"payment_intent": "payment", "charge": "payment__charge_id"}


def retrieve_payment_intent(given: Json, payment_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    return expanded(resources.payment_intent(payments.find(payment_id)), checked["expand"])


def retrieve_invoice(given: Json, invoice_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    try:
        found = Invoice.objects.select_related("session").get(id=invoice_id)
    except Invoice.DoesNotExist as error:
        raise Missing("invoice", invoice_id, param="invoice") from error
    return expanded(resources.invoice(found), checked["expand"])


def create_refund(given: Json) -> Json:
    checked = params.check(params.CreateRefund, given)
    made = refunds.create(
        checked["payment_intent"],
        checked.get("amount"),
        reason=checked["reason"],
        metadata=params.merged({}, checked["metadata"]),
        now=timezone.now(),
    )
    return expanded(resources.refund(made), checked["expand"])


def retrieve_refund(given: Json, refund_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    return expanded(resources.refund(refunds.find(refund_id)), checked["expand"])


def list_refunds(given: Json) -> Json:
    checked = params.check(params.ListByPayment, given)
    rows = Refund.objects.select_related("payment").filter(**wanted(checked, PAYMENT_COLUMNS))
    return expanded(listed(rows, checked, "/v1/refunds", resources.refund), checked["expand"])


def retrieve_dispute(given: Json, dispute_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    return expanded(resources.dispute(disputes.find(dispute_id)), checked["expand"])


def list_disputes(given: Json) -> Json:
    checked = params.check(params.ListByPayment, given)
    rows = Dispute.objects.select_related("payment").filter(**wanted(checked, PAYMENT_COLUMNS))
    return expanded(listed(rows, checked, "/v1/disputes", resources.dispute), checked["expand"])

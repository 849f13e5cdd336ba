from django.urls import path

from topups.sandbox.api import checkout, payments
from topups.sandbox.api.base import endpoint
from topups.sandbox.views import control, documents, pay

urlpatterns = [
    path("v1/customers", endpoint(POST=checkout.create_customer)),
    path(
        "v1/customers/<slug:customer_id>",
        endpoint(GET=checkout.retrieve_customer, POST=checkout.update_customer),
    ),
    path(
        "v1/checkout/sessions",
        endpoint(GET=checkout.list_sessions, POST=checkout.create_session),
    ),
    path("v1/checkout/sessions/<slug:session_id>", endpoint(GET=checkout.retrieve_session)),
    path("v1/checkout/sessions/<slug:session_id>/expire", endpoint(POST=checkout.expire_session)),
    path("v1/payment_intents/<slug:payment_id>", endpoint(GET=payments.retrieve_payment_intent)),
    path("v1/invoices/<slug:invoice_id>", endpoint(GET=payments.retrieve_invoice)),
    path("v1/refunds", endpoint(GET=payments.list_refunds, POST=payments.create_refund)),
    path("v1/refunds/<slug:refund_id>", endpoint(GET=payments.retrieve_refund)),
    path("v1/disputes", endpoint(GET=payments.list_disputes)),
    path("v1/disputes/<slug:dispute_id>", endpoint(GET=payments.retrieve_dispute)),
    path("", control.board, name="sandbox-control"),
    path("do/<slug:action>/", control.act, name="sandbox-act"),
    path("pay/<slug:session_id>/", pay.pay, name="sandbox-pay"),
    path("receipts/<slug:charge_id>/", documents.receipt, name="sandbox-receipt"),
    path("invoices/<slug:invoice_id>/", documents.invoice, name="sandbox-invoice"),
]

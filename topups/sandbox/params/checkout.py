"""The parameters about customers and Checkout Sessions that we rely on."""

from typing import Any

from rest_framework import serializers

from topups.sandbox.errors import Refused
from topups.sandbox.models import Payment, Session
from topups.sandbox.params.fields import (
    MAX_AMOUNT_MINOR,
    CurrencyField,
    Expandable,
    FlagField,
    Listing,
    MetadataField,
    MomentField,
    Strict,
    UrlField,
)


class WriteCustomer(Expandable):
    """The parameters of `POST /v1/customers` and `POST /v1/customers/{id}`."""

    name = serializers.CharField(max_length=256, allow_blank=True, required=False)
    email = serializers.EmailField(max_length=512, allow_blank=True, required=False)
    metadata = MetadataField(required=False)


class ProductData(Strict):
    name = serializers.CharField(max_length=1000)


class PriceData(Strict):
    currency = CurrencyField()
    unit_amount = serializers.IntegerField(min_value=0, max_value=MAX_AMOUNT_MINOR)
    product_data = ProductData()
    tax_behavior = serializers.ChoiceField(
        ["exclusive", "inclusive", "unspecified"], default="unspecified"
    )


class LineItem(Strict):
    price_data = PriceData()
    quantity = serializers.IntegerField(min_value=1, max_value=999_999)


class Enabled(Strict):
    enabled = FlagField()


class CustomerUpdate(Strict):
    name = serializers.ChoiceField(["auto", "never"], default="never")
    address = serializers.ChoiceField(["auto", "never"], default="never")


class InvoiceData(Strict):
    description = serializers.CharField(max_length=1500, default="")
    metadata = MetadataField(default=dict)


class InvoiceCreation(Enabled):
    invoice_data = InvoiceData(required=False)


class PaymentIntentData(Strict):
    description = serializers.CharField(max_length=1000, default="")
    metadata = MetadataField(default=dict)


class CreateSession(Expandable):
    """The parameters of `POST /v1/checkout/sessions`."""

    mode = serializers.ChoiceField(["payment"])
    allowed_payment_method_types = serializers.ListField(
        child=serializers.ChoiceField(Payment.Method.values),
        min_length=1,
        default=Payment.Method.values,
    )
    line_items = serializers.ListField(child=LineItem(), min_length=1, max_length=1)
    success_url = UrlField(max_length=5000)
    cancel_url = UrlField(max_length=5000, default="")
    expires_at = MomentField(required=False)
    customer = serializers.CharField(required=False)
    customer_email = serializers.EmailField(max_length=512, default="")
    customer_update = CustomerUpdate(required=False)
    client_reference_id = serializers.CharField(max_length=200, default="")
    metadata = MetadataField(default=dict)
    allow_promotion_codes = FlagField(default=False)
    automatic_tax = Enabled(required=False)
    tax_id_collection = Enabled(required=False)
    billing_address_collection = serializers.ChoiceField(["auto", "required"], default="auto")
    adaptive_pricing = Enabled(required=False)
    invoice_creation = InvoiceCreation(required=False)
    payment_intent_data = PaymentIntentData(required=False)

    def validate(self, attrs: Any) -> Any:
        if "customer" in attrs and attrs["customer_email"]:
            raise Refused("You may only specify one of these parameters: customer, customer_email.")
        if "customer_update" in attrs and "customer" not in attrs:
            raise Refused(
                "`customer_update` can only be used with `customer`.", param="customer_update"
            )
        return attrs


class ListSessions(Listing):
    payment_intent = serializers.CharField(required=False)
    customer = serializers.CharField(required=False)
    status = serializers.ChoiceField(Session.Status.values, required=False)

"""The parameters about payments, refunds and disputes that we rely on."""

from rest_framework import serializers

from topups.sandbox.params.fields import MAX_AMOUNT_MINOR, Expandable, Listing, MetadataField

REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class CreateRefund(Expandable):
    payment_intent = serializers.CharField()
    amount = serializers.IntegerField(min_value=1, max_value=MAX_AMOUNT_MINOR, required=False)
    reason = serializers.ChoiceField(REFUND_REASONS, default="")
    metadata = MetadataField(default=dict)


class ListByPayment(Listing):
    """The parameters of `GET /v1/refunds` and `GET /v1/disputes`."""

    payment_intent = serializers.CharField(required=False)
    charge = serializers.CharField(required=False)

"""The forms of requests and the shapes of answers."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits import ledger, tokens
from credits.ledger.holds import HOLD_MAX_SECONDS
from credits.models import (
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_QUANTITY,
    MAX_REFERENCE_LENGTH,
    Action,
    Grant,
    Spend,
)
from credits.models.catalog import ACTION_CODE
from credits.origins import MAX_ORIGIN_LENGTH

MAX_BATCH = 1_000
MAX_ACTION_LENGTH = 100
MAX_ORGANIZATION_LENGTH = 20
IDEMPOTENCY_KEY = re.compile(rf"\A[\x20-\x7e]{{1,{MAX_IDEMPOTENCY_KEY_LENGTH}}}\Z")


class Form(serializers.Serializer[Any]):
    """A request's fields; one it does not know is an error, not a silent typo."""

    default_error_messages = {"invalid": "Send a JSON object."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # DRF has words of its own for null; to a caller it is one more thing that is no object.
        return super().run_validation([] if data is None else data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            known = ", ".join(self.fields) or "nothing"
            raise serializers.ValidationError(
                {ascii(name)[1:-1]: [f"Unknown field; known are {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "not": {"pattern": r"\x00"}})
class TextField(serializers.CharField):
    """A string as JSON has it: a number is not read as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": ACTION_CODE})
class ActionField(TextField):
    """The code of an action."""

    def __init__(self) -> None:
        super().__init__(max_length=MAX_ACTION_LENGTH, help_text="An action's code.")


@extend_schema_field({"type": "string", "pattern": "^org_[0-9a-z]{16}$"})
class OrganizationField(TextField):
    """The public id of an organization."""

    def __init__(self) -> None:
        help_text = "Its public id; needed with a service's key."
        super().__init__(max_length=MAX_ORGANIZATION_LENGTH, required=False, help_text=help_text)


@extend_schema_field({"type": "string", "pattern": f"^[ -~]{{1,{MAX_IDEMPOTENCY_KEY_LENGTH}}}$"})
class IdempotencyKeyField(TextField, serializers.RegexField):
    def __init__(self) -> None:
        super().__init__(IDEMPOTENCY_KEY, trim_whitespace=False, required=False)


class WholeField(serializers.IntegerField):
    """A number as JSON has it: a string is not read as one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class SpendForm(Form):
    """What to spend on."""

    action = ActionField()
    quantity = WholeField(min_value=1, max_value=MAX_QUANTITY, default=1)
    organization = OrganizationField()
    reference = TextField(
        max_length=MAX_REFERENCE_LENGTH,
        default="",
        allow_blank=True,
        help_text="Your own words to find the spend by.",
    )


class HoldForm(SpendForm):
    """What to set credits aside for."""

    expires_in_seconds = WholeField(
        min_value=1,
        max_value=HOLD_MAX_SECONDS,
        required=False,
        help_text="When the hold releases itself; 900 if not given.",
    )


class CheckQuery(Form):
    """The spend to ask about."""

    action = ActionField()
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY, default=1)
    organization = OrganizationField()


class TokenForm(Form):
    """What a browser token is for."""

    organization = OrganizationField()
    actions = serializers.ListField(
        child=ActionField(),
        min_length=1,
        max_length=tokens.MAX_TOKEN_ACTIONS,
        help_text="Codes of actions that the key may spend.",
    )
    origins = serializers.ListField(
        child=TextField(min_length=1, max_length=MAX_ORIGIN_LENGTH),
        min_length=1,
        max_length=tokens.MAX_TOKEN_ORIGINS,
        help_text="Of the key's allowed origins, those whose pages may use the token.",
    )
    spend_limit = WholeField(
        min_value=1,
        max_value=tokens.MAX_TOKEN_CREDITS,
        help_text="Credits that its spends and holds may take in all.",
    )
    expires_in_seconds = WholeField(
        min_value=1, max_value=tokens.MAX_TOKEN_SECONDS, default=tokens.MAX_TOKEN_SECONDS
    )


class BatchItemForm(SpendForm):
    """One spend of a batch."""

    idempotency_key = IdempotencyKeyField()


class BatchForm(Form):
    spends = serializers.ListField(min_length=1, max_length=MAX_BATCH)


class CreditsForm(Form):
    """How many credits."""

    credits = WholeField(
        min_value=1, max_value=2**62, required=False, help_text="All of it if not given."
    )


class ReleaseForm(Form):
    """Nothing to fill in."""


class DrawnSerializer(serializers.Serializer[ledger.Drawn]):
    grant = serializers.UUIDField()
    kind = serializers.ChoiceField(Grant.Kind.choices)
    credits = serializers.IntegerField()


class SpendSerializer(serializers.Serializer[ledger.SpendResult]):
    """A spend as it was made."""

    id = serializers.UUIDField()
    organization = serializers.CharField(source="organization.public_id")
    action = serializers.CharField()
    quantity = serializers.IntegerField()
    credits = serializers.IntegerField()
    status = serializers.SerializerMethodField()
    reference = serializers.CharField(allow_blank=True)
    drawn = DrawnSerializer(many=True)
    created_at = serializers.DateTimeField()
    balance = serializers.IntegerField(
        required=False, help_text="What is left; only where the balance is shown."
    )

    @extend_schema_field({"type": "string", "enum": ["spent", "held"]})
    def get_status(self, result: ledger.SpendResult) -> str:
        return "held" if result.hold_expires_at else "spent"

    def to_representation(self, instance: ledger.SpendResult) -> dict[str, Any]:
        body = super().to_representation(instance)
        if not instance.organization.show_balance:
            del body["balance"]
        return body


class HoldSerializer(SpendSerializer):
    """A hold as it was made."""

    expires_at = serializers.DateTimeField(source="hold_expires_at")


# What a spend is called beyond its status in the ledger.
MORE_STATES = ("captured", "refunded", "partially_refunded")


class SpendStateSerializer(serializers.ModelSerializer[Spend]):
    """A spend or hold as it stands after a refund, capture or release."""

    organization = serializers.CharField(source="organization.public_id")
    action = serializers.CharField(source="action.code")
    credits = serializers.SerializerMethodField(help_text="Credits spent, or set aside if held.")
    released = serializers.IntegerField(
        source="released_credits", help_text="Credits of the hold that went back."
    )
    refunded = serializers.SerializerMethodField(help_text="Credits given back in all.")
    status = serializers.SerializerMethodField()

    class Meta:
        model = Spend
        fields = (
            "id",
            "organization",
            "action",
            "quantity",
            "credits",
            "released",
            "refunded",
            "status",
            "reference",
            "created_at",
        )

    def get_credits(self, spend: Spend) -> int:
        return spend.credits - spend.released_credits

    def get_refunded(self, spend: Spend) -> int:
        refunded: int = self.context.get("refunded", spend.refunded_credits)
        return refunded

    @extend_schema_field({"type": "string", "enum": [*Spend.Status.values, *MORE_STATES]})
    def get_status(self, spend: Spend) -> str:
        refunded = self.get_refunded(spend)
        if refunded:
            return "refunded" if refunded == self.get_credits(spend) else "partially_refunded"
        if spend.hold_expires_at and spend.status == Spend.Status.SPENT:
            return "captured"
        return spend.status


class ActionSerializer(serializers.ModelSerializer[Action]):
    service = serializers.CharField(source="service.name")

    class Meta:
        model = Action
        fields = ("code", "service", "name", "credits")


class NextRefillSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    credits = serializers.IntegerField()


class TokenSerializer(serializers.Serializer[Any]):
    """A browser token; this is the one time it is shown."""

    token = serializers.CharField()
    organization = serializers.CharField()
    actions = serializers.ListField(child=serializers.CharField())
    origins = serializers.ListField(child=serializers.CharField())
    spend_limit = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class BalanceQuery(Form):
    organization = OrganizationField()
    at = serializers.DateTimeField(required=False, help_text="A moment in the past; now if absent.")


class BalanceSerializer(serializers.Serializer[Any]):
    organization = serializers.CharField()
    at = serializers.DateTimeField()
    balance = serializers.IntegerField()
    by_kind = serializers.DictField(child=serializers.IntegerField())
    next_refill = NextRefillSerializer(allow_null=True)


# `from` is a keyword of Python, so these two declare it by name.
UsageQuery = type(
    "UsageQuery",
    (Form,),
    {
        "__doc__": "The period of a usage report, `to` exclusive, and how to group it.",
        "organization": OrganizationField(),
        "from": serializers.DateTimeField(required=False),
        "to": serializers.DateTimeField(required=False),
        "by": serializers.ChoiceField(["action", "service", "day"], default="action"),
    },
)


class UsageRowSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The action's code, the service or the day.")
    spends = serializers.IntegerField()
    quantity = serializers.IntegerField()
    credits = serializers.IntegerField(help_text="Credits spent less those given back.")


UsageSerializer = type(
    "UsageSerializer",
    (serializers.Serializer,),
    {
        "organization": serializers.CharField(),
        "from": serializers.DateTimeField(),
        "to": serializers.DateTimeField(),
        "by": serializers.CharField(),
        "credits": serializers.IntegerField(),
        "usage": UsageRowSerializer(many=True),
    },
)

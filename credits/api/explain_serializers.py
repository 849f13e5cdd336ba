"""The shapes of explanations."""

from typing import Any

from rest_framework import serializers

from credits.api.serializers import Form
from credits.ledger import Explanation, GrantExplanation, SpendExplanation
from credits.ledger.explaining import KindSum
from credits.ledger.spend_stories import GivenBack, Returned, Settlement
from credits.models import ApiKey, Entry, Grant, Spend

OUTCOMES = ("captured", "released", "expired")


class ExplainQuery(Form):
    at = serializers.DateTimeField(
        required=False, help_text="A moment in the past, UTC where it names no zone; now if absent."
    )


class SpendLineSerializer(serializers.ModelSerializer[Spend]):
    """The spend an entry belongs to."""

    action = serializers.CharField(source="action.code")

    class Meta:
        model = Spend
        fields = ("id", "action", "reference")


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One line of the ledger; positive credits went into the grant."""

    spend = SpendLineSerializer(allow_null=True)
    actor = serializers.CharField(
        source="actor.email", default=None, allow_null=True, help_text="Who of the staff did it."
    )

    class Meta:
        model = Entry
        fields = (
            "seq",
            "kind",
            "credits",
            "remaining_after",
            "spend",
            "actor",
            "reason",
            "created_at",
        )


class OpeningSerializer(serializers.Serializer[GrantExplanation]):
    """What was left in the grant before the entries that are told."""

    credits = serializers.IntegerField(source="opening_credits")
    at = serializers.DateTimeField(
        source="opening_at",
        allow_null=True,
        help_text="Of the first entry in the sums; null where all entries are told.",
    )


class KindSumSerializer(serializers.Serializer[KindSum]):
    """Entries of one kind before the newest ones."""

    kind = serializers.ChoiceField(Entry.Kind.choices)
    entries = serializers.IntegerField()
    credits = serializers.IntegerField()


class GrantExplanationSerializer(serializers.Serializer[GrantExplanation]):
    """What a grant held. `opening` and the credits of `sums` and `entries` make `remaining`."""

    id = serializers.UUIDField(source="grant.pk")
    kind = serializers.ChoiceField(Grant.Kind.choices, source="grant.kind")
    amount = serializers.IntegerField(source="grant.amount", help_text="Credits given.")
    credits = serializers.IntegerField(
        source="standing.credits", help_text="What could be spent of it."
    )
    remaining = serializers.IntegerField(
        source="standing.remaining", help_text="What its entries had left in it."
    )
    overdue_holds = serializers.IntegerField(
        source="standing.overdue_credits",
        help_text="Credits that holds past their time had not given back yet.",
    )
    frozen = serializers.IntegerField(
        source="frozen_credits", help_text="Out of it while its payment is disputed."
    )
    taken_back = serializers.IntegerField(
        source="revoked_credits", help_text="Out of it because its money went back."
    )
    created_at = serializers.DateTimeField(source="grant.created_at")
    expires_at = serializers.DateTimeField(source="grant.expires_at", allow_null=True)
    lapsed = serializers.BooleanField(source="standing.is_lapsed")
    purchase = serializers.UUIDField(source="grant.purchase_id", allow_null=True)
    actor = serializers.CharField(source="given.actor.email", default=None, allow_null=True)
    reason = serializers.CharField(source="given.reason")
    opening = OpeningSerializer(source="*")
    sums = KindSumSerializer(many=True)
    entries = EntrySerializer(many=True, help_text="The newest ones, newest first.")


class BundleSerializer(serializers.Serializer[Any]):
    """Free credits of the week that no entry told of yet."""

    credits = serializers.IntegerField()
    week = serializers.DateField(help_text="Its Monday.")
    written_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When they were written down; null where nobody has, and then they count at the "
        "size that the bundle has today.",
    )


class ExplanationSerializer(serializers.Serializer[Explanation]):
    """What an organization could spend at a moment, and why it was that."""

    organization = serializers.CharField(source="organization.public_id")
    name = serializers.CharField(source="organization.name")
    at = serializers.DateTimeField()
    balance = serializers.IntegerField(source="balance.total")
    by_kind = serializers.DictField(source="balance.by_kind", child=serializers.IntegerField())
    untouched_bundle = BundleSerializer(source="bundle", allow_null=True)
    grants = GrantExplanationSerializer(
        many=True, help_text="Those that held credits, in burn-down order."
    )
    more_grants = serializers.IntegerField(help_text="Others that held credits.")
    more_credits = serializers.IntegerField(help_text="What those held.")
    ended = GrantExplanationSerializer(
        many=True, help_text="Those that were used up or lapsed since Monday, the last one first."
    )


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """The API key that made it, itself or by one of its browser tokens."""

    class Meta:
        model = ApiKey
        fields = ("name", "prefix")


class DrawnEntrySerializer(serializers.ModelSerializer[Entry]):
    """What one grant gave."""

    grant = serializers.UUIDField(source="grant_id")
    kind = serializers.ChoiceField(Grant.Kind.choices, source="grant.kind")
    credits = serializers.SerializerMethodField()

    class Meta:
        model = Entry
        fields = ("grant", "kind", "credits")

    def get_credits(self, entry: Entry) -> int:
        return -entry.credits


class ReturnedSerializer(serializers.Serializer[Returned]):
    """What one grant got back, and what of that was gone again at once."""

    grant = serializers.UUIDField(source="grant.pk")
    kind = serializers.ChoiceField(Grant.Kind.choices, source="grant.kind")
    credits = serializers.IntegerField()
    lapsed = serializers.IntegerField(source="lapsed_credits")
    taken_back = serializers.IntegerField(
        source="clawed_back_credits", help_text="Taken or frozen for money that went back."
    )


class SettlementSerializer(serializers.Serializer[Settlement]):
    """How a hold ended."""

    outcome = serializers.ChoiceField(OUTCOMES)
    at = serializers.DateTimeField()
    captured = serializers.IntegerField(source="captured_credits")
    returned = ReturnedSerializer(many=True)


class RefundSerializer(serializers.Serializer[GivenBack]):
    """One refund of a spend."""

    at = serializers.DateTimeField(source="refund.created_at")
    credits = serializers.IntegerField(source="refund.credits")
    api_key = KeySerializer(source="refund.api_key", allow_null=True)
    actor = serializers.CharField(source="actor.email", default=None, allow_null=True)
    reason = serializers.CharField()
    returned = ReturnedSerializer(many=True)


class SpendExplanationSerializer(serializers.Serializer[SpendExplanation]):
    """One spend or hold from its making to this day."""

    id = serializers.UUIDField(source="spend.pk")
    organization = serializers.CharField(source="spend.organization.public_id")
    action = serializers.CharField(source="spend.action.code")
    quantity = serializers.IntegerField(source="spend.quantity")
    unit_credits = serializers.IntegerField(
        source="spend.unit_credits", help_text="The price when it was spent."
    )
    unit_credits_now = serializers.IntegerField(help_text="The price today.")
    credits = serializers.IntegerField(source="spend.credits", help_text="As first taken.")
    kept = serializers.IntegerField(
        source="spend.kept_credits", help_text="What it keeps after all that came back."
    )
    status = serializers.ChoiceField(Spend.Status.choices, source="spend.status")
    balance_after = serializers.IntegerField(source="spend.balance_after")
    reference = serializers.CharField(source="spend.reference")
    idempotency_key = serializers.CharField(source="spend.idempotency_key", allow_null=True)
    api_key = KeySerializer(allow_null=True)
    created_at = serializers.DateTimeField(source="spend.created_at")
    hold_expires_at = serializers.DateTimeField(source="spend.hold_expires_at", allow_null=True)
    drawn = DrawnEntrySerializer(many=True)
    settlement = SettlementSerializer(allow_null=True)
    refunds = RefundSerializer(many=True)

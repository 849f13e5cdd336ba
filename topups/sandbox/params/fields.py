"""Kinds of parameters."""

from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

MAX_AMOUNT_MINOR = 99_999_999
MAX_METADATA_KEYS = 50
# Stripe's list (https://docs.stripe.com/currencies).
_CURRENCIES = (
    "aed|afn|all|amd|ang|aoa|ars|aud|awg|azn|bam|bbd|bdt|bgn|bhd|bif|bmd|bnd|bob|brl|bsd|bwp|"
    "byn|bzd|cad|cdf|chf|clp|cny|cop|crc|cve|czk|djf|dkk|dop|dzd|egp|etb|eur|fjd|fkp|gbp|gel|"
    "gip|gmd|gnf|gtq|gyd|hkd|hnl|htg|huf|idr|ils|inr|isk|jmd|jod|jpy|kes|kgs|khr|kmf|krw|kwd|"
    "kyd|kzt|lak|lbp|lkr|lrd|lsl|mad|mdl|mga|mkd|mmk|mnt|mop|mur|mvr|mwk|mxn|myr|mzn|nad|ngn|"
    "nio|nok|npr|nzd|omr|pab|pen|pgk|php|pkr|pln|pyg|qar|ron|rsd|rub|rwf|sar|sbd|scr|sek|sgd|"
    "shp|sle|sos|srd|std|szl|thb|tjs|tnd|top|try|ttd|twd|tzs|uah|ugx|usd|uyu|uzs|vnd|vuv|wst|"
    "xaf|xcd|xcg|xof|xpf|yer|zar|zmw"
)


def unknown(names: set[str]) -> serializers.ValidationError:
    return serializers.ValidationError(
        {name: [serializers.ErrorDetail("", code="parameter_unknown")] for name in names}
    )


class Strict(serializers.Serializer[Any]):
    """Refuses what it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (names := set(data) - set(self.fields)):
            raise unknown(names)
        return super().to_internal_value(data)


class UrlField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise serializers.ValidationError("Not a valid URL", code="url_invalid")
        return url


class CurrencyField(serializers.RegexField):
    default_error_messages = {"invalid": "Invalid currency"}

    def __init__(self, **options: Any) -> None:
        super().__init__(rf"^({_CURRENCIES})\Z", **options)


class FlagField(serializers.Field[bool, Any, Any, Any]):
    """`true` or `false`, and nothing else."""

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            raise serializers.ValidationError("Invalid boolean", code="invalid_boolean")
        return bool(data == "true")


class MomentField(serializers.IntegerField):
    """Seconds since 1970, as far as dates go."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=253_402_300_799, **options)


class MetadataField(serializers.DictField):
    """Up to 50 keys (https://docs.stripe.com/api/metadata); an empty text unsets one or all."""

    child = serializers.CharField(max_length=500, allow_blank=True, trim_whitespace=False)
    initial = {}

    def to_internal_value(self, data: Any) -> Any:
        if data == "":
            return data
        values = super().to_internal_value(data)
        if len(values) > MAX_METADATA_KEYS or any(len(key) > 40 for key in values):
            raise serializers.ValidationError(
                "Metadata has at most 50 keys of at most 40 characters", code="invalid"
            )
        return values

    def get_value(self, dictionary: Any) -> Any:
        return dictionary.get(self.field_name, serializers.empty)


def merged(metadata: dict[str, str], changes: dict[str, str] | str) -> dict[str, str]:
    """Metadata after changes to it."""
    if isinstance(changes, str):
        return {}
    return {key: value for key, value in {**metadata, **changes}.items() if value}


class Span(Strict):
    gt = MomentField(required=False)
    gte = MomentField(required=False)
    lt = MomentField(required=False)
    lte = MomentField(required=False)


class CreatedField(serializers.Field[dict[str, int], Any, Any, Any]):
    """A moment, or a span of time as `created[gte]` and its like."""

    def to_internal_value(self, data: Any) -> dict[str, int]:
        if not isinstance(data, dict):
            second = MomentField().run_validation(data)
            return {"gte": second, "lte": second}
        span = Span(data=data)
        span.is_valid(raise_exception=True)
        return dict(span.validated_data)


class Expandable(Strict):
    expand = serializers.ListField(child=serializers.CharField(), default=list)


class Listing(Expandable):
    """What every list takes (https://docs.stripe.com/api/pagination)."""

    created = CreatedField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=10)
    starting_after = serializers.CharField(required=False)

"""What a request may say, checked as Stripe checks it."""

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from django.http import QueryDict
from rest_framework import serializers

_KEY = re.compile(r"^(\w+)((?:\[\w+\]){0,8})$")
_PART = re.compile(r"\[(\w+)\]")
MAX_AMOUNT_MINOR = 99_999_999
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


class InvalidParams(Exception):
    """A request Stripe would refuse; `param` names the guilty part as `a[0][b]`."""

    def __init__(self, message: str, *, code: str, param: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


def parse(form: QueryDict) -> dict[str, Any]:
    """Form-encoded `a[b][0][c]=x` as nested data: `{"a": {"b": [{"c": "x"}]}}`.

    Raises InvalidParams for a key that is not of this form or contradicts another.
    """
    root: dict[str, Any] = {}
    for key, value in form.items():
        match = _KEY.match(key)
        if not match:
            raise _unknown(key)
        if "\0" in value:
            raise InvalidParams(
                f"Null characters are not allowed ({key})", code="parameter_invalid", param=key
            )
        _put(root, [match[1], *_PART.findall(match[2])], value, key)
    return cast(dict[str, Any], _with_lists(root))


def check(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a new session, complete and typed. Raises InvalidParams."""
    serializer = CreateSession(data=params)
    if not serializer.is_valid():
        raise _invalid(*next(_errors(serializer.errors)))
    return cast(dict[str, Any], serializer.validated_data)


def _errors(
    errors: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], serializers.ErrorDetail]]:
    """Each error in the nested errors of a serializer, with the path that leads to it."""
    if isinstance(errors, serializers.ErrorDetail):
        yield path, errors
        return
    named = errors.items() if isinstance(errors, dict) else enumerate(errors)
    for name, inner in named:
        leaf = isinstance(inner, serializers.ErrorDetail) or name == "non_field_errors"
        yield from _errors(inner, path if leaf else (*path, str(name)))


def _invalid(path: tuple[str, ...], error: serializers.ErrorDetail) -> InvalidParams:
    param = path[0] + "".join(f"[{part}]" for part in path[1:])
    if error.code == "parameter_unknown":
        return _unknown(param)
    if error.code == "required":
        return InvalidParams(
            f"Missing required param: {param}.", code="parameter_missing", param=param
        )
    return InvalidParams(f"{error} ({param})", code=f"parameter_{error.code}", param=param)


def _put(root: dict[str, Any], path: list[str], value: object, key: str) -> None:
    node = root
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise _unknown(key)
    if path[-1] in node:
        raise _unknown(key)
    node[path[-1]] = value


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    values = {key: _with_lists(value) for key, value in node.items()}
    if values and set(values) == {str(index) for index in range(len(values))}:
        return [values[str(index)] for index in range(len(values))]
    return values


def _unknown(param: str) -> InvalidParams:
    return InvalidParams(
        f"Received unknown parameter: {param}", code="parameter_unknown", param=param
    )


class Strict(serializers.Serializer[Any]):
    """Refuses what it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(
                {name: [serializers.ErrorDetail("", code="parameter_unknown")] for name in unknown}
            )
        return super().to_internal_value(data)


class UrlField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise serializers.ValidationError("Not a valid URL", code="url_invalid")
        return url


class ProductData(Strict):
    name = serializers.CharField(max_length=1000)


class PriceData(Strict):
    currency = serializers.RegexField(
        rf"^({_CURRENCIES})\Z", error_messages={"invalid": "Invalid currency"}
    )
    unit_amount = serializers.IntegerField(min_value=0, max_value=MAX_AMOUNT_MINOR)
    product_data = ProductData()


class LineItem(Strict):
    price_data = PriceData()
    quantity = serializers.IntegerField(min_value=1, max_value=999_999)


class CreateSession(Strict):
    """The parameters of `POST /v1/checkout/sessions` that we rely on."""

    mode = serializers.ChoiceField(["payment"])
    allowed_payment_method_types = serializers.ListField(
        child=serializers.ChoiceField(["card"]), default=["card"]
    )
    line_items = serializers.ListField(child=LineItem(), min_length=1, max_length=1)
    success_url = UrlField(max_length=5000)
    cancel_url = UrlField(max_length=5000, default="")
    customer_email = serializers.EmailField(max_length=512, default="")
    client_reference_id = serializers.CharField(max_length=200, default="")
    metadata = serializers.DictField(child=serializers.CharField(max_length=500), default=dict)

"""Form-encoded parameters as nested, typed data, refused as Stripe refuses them."""

import re
from collections.abc import Iterator
from typing import Any, cast

from django.http import QueryDict
from rest_framework import serializers

from topups.sandbox.errors import Refused

_KEY = re.compile(r"^(\w+)((?:\[\w+\]){0,8})$")
_PART = re.compile(r"\[(\w+)\]")


def parse(form: QueryDict) -> dict[str, Any]:
    """Form-encoded `a[b][0][c]=x` as nested data: `{"a": {"b": [{"c": "x"}]}}`.

    Raises Refused for a key that is not of this form or contradicts another.
    """
    root: dict[str, Any] = {}
    for key, value in _items(form):
        match = _KEY.match(key)
        if not match:
            raise _unknown(key)
        if "\0" in value:
            raise Refused(
                f"Null characters are not allowed ({key})", code="parameter_invalid", param=key
            )
        _put(root, [match[1], *_PART.findall(match[2])], value, key)
    return cast(dict[str, Any], _with_lists(root))


def _items(form: QueryDict) -> Iterator[tuple[str, str]]:
    """All that is given, with `a[]=x&a[]=y` numbered as `a[0]` and `a[1]`."""
    for key, values in form.lists():
        if not key.endswith("[]"):
            yield key, str(values[-1])
        else:
            for number, value in enumerate(values):
                yield f"{key[:-2]}[{number}]", str(value)


def check(form: type[serializers.Serializer[Any]], given: dict[str, Any]) -> dict[str, Any]:
    """What a request gives, complete and typed as `form` has it. Raises Refused."""
    serializer = form(data=given)
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


def _invalid(path: tuple[str, ...], error: serializers.ErrorDetail) -> Refused:
    param = path[0] + "".join(f"[{part}]" for part in path[1:])
    if error.code == "parameter_unknown":
        return _unknown(param)
    if error.code == "required":
        return Refused(f"Missing required param: {param}.", code="parameter_missing", param=param)
    if error.code == "blank":
        return Refused(
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{param}' cannot be unset. You should remove '{param}' "
            "from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=param,
        )
    return Refused(f"{error} ({param})", code=f"parameter_{error.code}", param=param)


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


def _unknown(param: str) -> Refused:
    return Refused(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)

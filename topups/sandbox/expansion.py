"""Ids replaced by what they name (https://docs.stripe.com/api/expanding_objects)."""

from collections.abc import Callable
from typing import Any

from topups.sandbox import resources
from topups.sandbox.errors import Refused
from topups.sandbox.models import Customer, Invoice, Payment

Json = dict[str, Any]
MAX_DEPTH = 4


def _customer(pk: str) -> Json:
    return resources.customer(Customer.objects.get(pk=pk))


def _invoice(pk: str) -> Json:
    return resources.invoice(Invoice.objects.get(id=pk))


def _payment_intent(pk: str) -> Json:
    return resources.payment_intent(Payment.objects.get(pk=pk))


def _charge(pk: str) -> Json:
    return resources.charge(Payment.objects.get(charge_id=pk))


_EXPANDABLE: dict[str, dict[str, Callable[[str], Json]]] = {
    "checkout.session": {
        "customer": _customer,
        "invoice": _invoice,
        "payment_intent": _payment_intent,
    },
    "payment_intent": {"customer": _customer, "latest_charge": _charge},
    "charge": {"customer": _customer, "payment_intent": _payment_intent},
    "refund": {"charge": _charge, "payment_intent": _payment_intent},
    "dispute": {"charge": _charge, "payment_intent": _payment_intent},
    "invoice": {"customer": _customer},
}


def expanded(shown: Json, paths: list[str]) -> Json:
    """An object, or a list of them, with the properties at `paths`, like `payment_intent.customer`.

    Raises Refused for a property that cannot be expanded.
    """
    for path in paths:
        names = path.split(".")
        if len(names) > MAX_DEPTH:
            raise Refused(f"You cannot expand more than {MAX_DEPTH} levels of a property.")
        _expand(shown, names, path)
    return shown


def _expand(shown: Json, names: list[str], path: str) -> None:
    name, *rest = names
    if shown["object"] == "list":
        if name != "data":
            raise _not_expandable(path)
        for item in shown["data"]:
            _expand(item, rest, path)
        return
    load = _EXPANDABLE.get(shown["object"], {}).get(name)
    if load is None:
        raise _not_expandable(path)
    if isinstance(shown[name], str):
        shown[name] = load(shown[name])
    if rest and shown[name] is not None:
        _expand(shown[name], rest, path)


def _not_expandable(path: str) -> Refused:
    return Refused(f"This property cannot be expanded ({path}).", param="expand")

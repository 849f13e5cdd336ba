"""What is read and answered by hand is what the forms and serializers read and answer."""

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.api import plain
from credits.api.serializers import BatchItemForm, SpendForm, SpendSerializer
from credits.ledger import Drawn, SpendResult
from credits.models import MAX_QUANTITY, Grant, Organization
from tests.credits.support import MONDAY

TEXTS = st.text() | st.text(st.sampled_from(" \t\x1c\x85\u3000\0\ud800\udfff\U0001f4a5aZ"))
JSON = st.recursive(
    TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=3,
)
WORDS = st.from_regex("[a-z0-9]{1,9}(-[a-z0-9]{1,9})?", fullmatch=True)
ORDINARY = st.fixed_dictionaries(
    {"action": st.lists(WORDS, min_size=2, max_size=5).map(".".join)},
    optional={
        "quantity": st.integers(1, MAX_QUANTITY),
        "organization": st.from_regex("org_[0-9a-z]{16}", fullmatch=True),
        "reference": st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=255),
    },
)
KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)
# One thing is odd about a request at most, or the form would refuse it for another.
NAMES = ("action", "quantity", "organization", "reference", "idempotency_key", "other")
LENGTHS = (19, 20, 21, 99, 100, 101, 254, 255, 256)
ODD_VALUES = [
    *(None, True, False, [], {}, 1.0, 1.5, 2**70),
    *(-1, 0, 1, MAX_QUANTITY - 1, MAX_QUANTITY, MAX_QUANTITY + 1),
    *(
        "",
        " ",
        "\u3000",
        " a",
        "a\x1c",
        "a b",
        "1",
        "\0",
        "a\0b",
        "\ud800",
        "a\udfff",
        "\U0001f4a5",
    ),
    *("x" * length for length in LENGTHS),
]
ODD = st.builds(
    lambda fields, name, value: {**fields, name: value}, ORDINARY, st.sampled_from(NAMES), JSON
)


def read_by(form_class: type[SpendForm], fields: object) -> dict[str, Any] | None:
    """What the form reads; None if it refuses."""
    form = form_class(data=fields)
    return dict(form.validated_data) if form.is_valid() else None


def given_fields(read: plain.SpendFields) -> dict[str, Any]:
    """The fields as a form has them: without those that were not sent."""
    optional = ("organization", "idempotency_key")
    return {k: v for k, v in read._asdict().items() if not (k in optional and v is None)}


def assert_read_alike(fields: object) -> None:
    for read, form_class in ((plain.order, SpendForm), (plain.batch_item, BatchItemForm)):
        found = read(fields)
        assert found is None or given_fields(found) == read_by(form_class, fields)


@pytest.mark.parametrize("name", NAMES)
def test_each_odd_value_is_read_as_the_forms_read_it_or_given_up(name):
    for value in ODD_VALUES:
        assert_read_alike({"action": "alt-text.generate", name: value})


@given(ODD | JSON)
def test_whatever_is_read_by_hand_is_what_the_forms_read(fields):
    assert_read_alike(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action", "x" * 100),
        ("quantity", MAX_QUANTITY),
        ("organization", "x" * 20),
        ("reference", "x" * 255),
    ],
)
def test_what_reaches_a_limit_is_not_given_up(name, value):
    assert getattr(plain.order({"action": "alt-text.generate", name: value}), name) == value


@given(ORDINARY, KEYS)
def test_what_is_ordinary_is_never_given_up(fields, key):
    assert given_fields(plain.order(fields)) == read_by(SpendForm, fields)
    keyed = {**fields, "idempotency_key": key}
    for item in (fields, keyed):
        assert given_fields(plain.batch_item(item)) == read_by(BatchItemForm, item)


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.builds(
    lambda later, zone: (MONDAY + later).astimezone(zone),
    st.timedeltas(timedelta(0), timedelta(days=30_000)),
    st.just(UTC) | ZONES,
)
RESULTS = st.builds(
    SpendResult,
    id=st.uuids(),
    organization=st.builds(Organization, show_balance=st.booleans()),
    action=st.text(),
    quantity=st.integers(1),
    unit_credits=st.integers(1),
    credits=st.integers(1),
    reference=st.text(),
    drawn=st.lists(
        st.builds(
            Drawn, grant=st.uuids(), kind=st.sampled_from(Grant.Kind.values), credits=st.integers(1)
        ),
        max_size=3,
    ).map(tuple),
    balance=st.integers(0),
    created_at=MOMENTS,
    hold_expires_at=st.none(),
    replayed=st.booleans(),
)


@given(RESULTS)
def test_what_is_made_by_hand_is_what_the_serializer_makes(result):
    assert plain.result_body(result) == SpendSerializer(result).data

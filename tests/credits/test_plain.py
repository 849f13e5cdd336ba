"""What is read and answered by hand is what the forms and serializers read and answer."""

from datetime import UTC, timedelta, timezone
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from credits.api import plain
from credits.api.serializers import BatchItemForm, SpendForm, SpendSerializer
from credits.ledger import Drawn, SpendResult
from credits.models import MAX_QUANTITY, Grant, Organization
from tests.credits.support import MONDAY

WORDS = st.text(max_size=300)
TEXTS = st.one_of(
    WORDS,
    st.text(st.characters(codec="ascii"), max_size=30),
    st.text(st.sampled_from(" \t\x1c\x85\u00a0\u3000\ud800\udfff\0\U0001f4a5aZ"), max_size=6),
    st.sampled_from([19, 20, 21, 99, 100, 101, 254, 255, 256]).map(lambda length: "x" * length),
)
NUMBERS = st.one_of(
    st.integers(-2, 2),
    st.integers(),
    st.sampled_from([MAX_QUANTITY - 1, MAX_QUANTITY, MAX_QUANTITY + 1]),
    st.floats(allow_nan=False, allow_infinity=False),
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
FIELDS = ("action", "quantity", "organization", "reference", "idempotency_key")
REQUESTS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {}, optional={**dict.fromkeys(FIELDS, JSON), "action": TEXTS, "hold": JSON}
    ),
    st.fixed_dictionaries(
        {"action": TEXTS},
        optional={
            "quantity": NUMBERS,
            "organization": TEXTS,
            "reference": TEXTS,
            "idempotency_key": TEXTS,
        },
    ),
)
CODES = st.lists(st.from_regex("[a-z0-9]{1,9}(-[a-z0-9]{1,9})?", fullmatch=True), min_size=2)
ORDINARY = {"action": CODES.map(lambda words: ".".join(words[:5]))}
OPTIONAL = {
    "quantity": st.integers(1, MAX_QUANTITY),
    "organization": st.from_regex("org_[0-9a-z]{16}", fullmatch=True),
    "reference": st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"])),
}
KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)


def read_by(form_class: type[SpendForm], fields: object) -> dict[str, Any] | None:
    """What the form reads; None if it refuses."""
    form = form_class(data=fields)
    return dict(form.validated_data) if form.is_valid() else None


def given_fields(read: plain.SpendFields) -> dict[str, Any]:
    """The fields as a form has them: without those that were not sent."""
    absent = {"organization": None, "idempotency_key": None}
    return {
        name: value
        for name, value in read._asdict().items()
        if name not in absent or value is not None
    }


@given(REQUESTS)
@example({"action": "a.b", "organization": None})
@example({"action": "a.b", "quantity": True})
@example({"action": "a.b", "reference": " "})
@example({"action": "a.b", "idempotency_key": None})
@example({"action": "a.b", "idempotency_key": "k"})
def test_what_is_read_by_hand_is_what_the_forms_read(fields):
    for read, form_class in ((plain.order, SpendForm), (plain.batch_item, BatchItemForm)):
        found = read(fields)
        assert found is None or given_fields(found) == read_by(form_class, fields)


@given(st.fixed_dictionaries(ORDINARY, optional=OPTIONAL), st.none() | KEYS)
def test_what_is_ordinary_is_never_given_up(fields, key):
    fields["reference"] = fields.get("reference", "")[:255]
    assert given_fields(plain.order(fields)) == read_by(SpendForm, fields)
    if key is not None:
        fields["idempotency_key"] = key
    assert given_fields(plain.batch_item(fields)) == read_by(BatchItemForm, fields)


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

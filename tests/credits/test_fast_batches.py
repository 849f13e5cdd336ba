"""The fast path of POST /api/v1/spends/batch answers as the view does, and spends as often."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from credits.ledger import audit
from tests.credits.fast_world import ALT, BACKGROUND, Django, World, asking_all, send, told

ORDINARY = {"action": ALT}


def item(**fields: object) -> dict[str, object]:
    return {**ORDINARY, **fields}


def of(name: str, **fields: object) -> dict[str, object]:
    """An item of a service's key."""
    return item(organization=f"<{name}>", **fields)


def keyed(*keys: str, **fields: object) -> list[dict[str, object]]:
    return [item(idempotency_key=key, **fields) for key in keys]


MANY = [item(reference=str(number)) for number in range(250)]
# What the fast path answers by itself, in this order, since keys are repeated.
FAST = [
    asking_all(ORDINARY),
    asking_all(
        ORDINARY, item(quantity=3), item(reference="\u00dcbung \u2028 \U0001f600 </script>")
    ),
    asking_all(*keyed("one", "two")),
    asking_all(*keyed("one", "two"), ORDINARY),
    asking_all(*keyed("three", "three", "four")),
    asking_all(item(organization="<rich>"), item(quantity=1_000_000), ORDINARY),
    asking_all(ORDINARY, item(quantity=1_000_000), who="poor"),
    asking_all(*keyed("one"), who="poor"),
    asking_all(ORDINARY, item(quantity=2), ORDINARY, *keyed("one"), who="seen"),
    asking_all(*keyed("one"), ORDINARY, item(quantity=7), who="seen"),
    asking_all(of("rich"), of("poor"), of("seen"), of("rich", quantity=2), who="alt"),
    asking_all(of("poor", idempotency_key="x"), of("rich", idempotency_key="x"), who="alt"),
    asking_all(ORDINARY, who="restricted"),
    asking_all(ORDINARY, X_Request_ID="order-4711"),
    asking_all(*MANY),
]
# What is the view's to answer, all of it, with spends before and after what is odd.
OTHER = [
    *(
        asking_all(ORDINARY, odd, ORDINARY)
        for odd in (
            *({}, None, "spend", 1, []),
            *(item(quantity=n) for n in (0, -1, True, "1", 1.0, None, 10**30)),
            *keyed("", "\u00fc", "x" * 256),
            *(item(reference=text) for text in ("\0", "\ud800", " ", "x" * 256)),
            item(colour="red"),
            item(organization=None),
            item(organization="<poor>"),
            {"action": "nothing.such"},
            {"action": f" {ALT} "},
            # Repeated, but not the same.
            *keyed("one", quantity=2),
        )
    ),
    asking_all(*keyed("new", "new"), *keyed("new", quantity=2)),
    asking_all(ORDINARY, {"action": BACKGROUND}, who="restricted"),
    *(
        asking_all(of("rich"), odd, of("poor"), who="alt")
        for odd in (
            ORDINARY,
            item(organization="org_0000000000000000"),
            of("stopped"),
            {"action": BACKGROUND, "organization": "<rich>"},
        )
    ),
    *(
        asking_all(ORDINARY, who=who)
        for who in ("stopped", "expired", "revoked", "mistyped", "unknown", "staff")
    ),
    asking_all(),
    asking_all(*[ORDINARY] * 1_001),
    asking_all(*MANY, ORDINARY),
    asking_all(*[item(reference="x" * 250)] * 240),
    asking_all(ORDINARY, key="one"),
    asking_all(ORDINARY, Origin="https://shop.example"),
    *(
        (who, body, headers, line)
        for who, _, headers, line in [asking_all(ORDINARY)]
        for body in (
            b'{"spends": [{"action": "alt-text.generate"}], "more": 1}',
            b'{"spends": {"action": "alt-text.generate"}}',
            b'{"spends": [{"action": "alt-text.generate", "quantity": NaN}]}',
            *(b"", b"{", b"[]", b"null", b"\xff", b"[" * 4000, b'{"spends": null}'),
        )
    ),
]


def books(world: World) -> list[Any]:
    """What the world's organizations have spent, and what they have left."""
    return [
        (
            list(one.spends.order_by("created_at", "id").values_list(
                "action", "quantity", "credits", "reference", "idempotency_key", "balance_after"
            )),
            list(one.grants.order_by("created_at", "id").values_list("kind", "remaining")),
            list(one.entries.order_by("seq").values_list("seq", "kind", "credits")),
        )
        for one in world.organizations.values()
    ]  # fmt: skip


def test_every_batch_is_answered_as_django_alone_would(fast: Any, django: Django) -> None:
    ours, theirs = World(riches=10_000), World(riches=10_000)
    for request in (*FAST, *OTHER):
        before = django.asked
        reply = send(fast, ours, request)
        assert django.asked - before == (request in OTHER), request[1][:200]
        assert told(reply) == told(send(django, theirs, request)), request[1][:200]
        assert books(ours) == books(theirs), request[1][:200]
        if request in FAST:
            assert reply.status == 200
    assert list(audit.findings()) == []


ITEMS = st.lists(
    st.builds(
        lambda name, action, quantity, key: {
            "action": action,
            "organization": f"<{name}>",
            "quantity": quantity,
            **({"idempotency_key": key} if key else {}),
        },
        st.sampled_from(["rich"] * 5 + ["seen"] * 3 + ["poor"] * 2 + ["stopped"]),
        st.sampled_from([ALT] * 20 + [BACKGROUND, "no.such"]),
        st.sampled_from([1, 1, 1, 2, 3, 60, 0]),
        st.sampled_from([None] * 6 + list("abcdefgh")),
    ),
    min_size=1,
    max_size=6,
)


def test_whatever_a_batch_has_in_it_is_answered_as_django_alone_would(
    fast: Any, django: Django
) -> None:
    ours, theirs = World(riches=10_000), World(riches=10_000)
    alone = []

    @settings(max_examples=60)
    @given(ITEMS)
    def check(items: list[dict[str, object]]) -> None:
        request, before = asking_all(*items, who="alt"), django.asked
        reply = told(send(fast, ours, request))
        alone.append(django.asked == before)
        assert reply == told(send(django, theirs, request))
        assert books(ours) == books(theirs)

    check()
    assert {*alone} == {True, False}

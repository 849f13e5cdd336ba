"""The fast path of POST /api/v1/spends answers as the view does, whatever is asked."""

from typing import Any

from credits.models import Spend
from tests.credits.fast_world import ALT, BACKGROUND, Django, World, asking, order, send, told

# What the fast path answers by itself, in this order, since keys are repeated.
FAST = [
    asking(),
    asking(key="one"),
    asking(key="one"),
    asking(body=order(quantity=3, reference="Übung \u2028 \U0001f600 </script>"), key="two"),
    asking(body=order(organization="<rich>")),
    asking(body=order(quantity=1_000_000)),
    asking(body=b' {"action": "alt-text.generate", "quantity": 2, "quantity": 1} '),
    asking(X_Request_ID="order-4711"),
    asking(X_Request_ID="not sane"),
    asking(Accept_Language="de", User_Agent="node"),
    asking(Content_Type="application/json; charset=utf-8"),
    asking("restricted"),
    asking("service", order(action=BACKGROUND, organization="<poor>")),
    asking("service", order(action=BACKGROUND, organization="<rich>")),
    asking("poor"),
    asking("poor", key="one"),
    asking("seen", order(quantity=3)),
    asking("seen"),
    asking("seen"),
    asking("seen"),
    asking("seen", order(reference="x" * 255)),
]
# What is the view's to answer.
OTHER = [
    *(asking(who) for who in ("stopped", "expired", "revoked", "mistyped", "unknown", "staff")),
    asking(body=order(quantity=2), key="one"),
    asking(body=order(organization="<poor>")),
    asking("service", order(action=BACKGROUND)),
    asking("service", order(action=BACKGROUND, organization="org_0000000000000000")),
    asking("service", order(organization="<rich>")),
    asking("restricted", order(action=BACKGROUND)),
    asking(body=order(action="nothing.such")),
    asking(body=order(action=f" {ALT} ")),
    *(asking(body=order(quantity=n)) for n in (0, -1, 1_000_001, True, "1", 1.5, None, 10**30)),
    asking(body=order(colour="red")),
    asking(body=order(reference="\0")),
    asking(body=order(reference="\ud800")),
    asking(body=order(reference="x" * 256)),
    *(asking(body=body) for body in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 4000, b"1e999")),
    asking(body=b'{"action": "alt-text.generate", "quantity": NaN}'),
    asking(body=b"\xef\xbb\xbf" + order()),
    asking(body=order(reference="x" * 5_000)),
    asking(body=b" " * 1_000_001),
    *(asking(key=key) for key in ("", "ü", "x" * 256)),
    asking(Content_Type="text/plain"),
    asking(Content_Type=""),
    asking(Host="elsewhere.example"),
    asking(Host=""),
    asking(Origin="https://shop.example"),
    asking(Sec_Fetch_Site="cross-site"),
    asking(Sec_Fetch_Site="same-origin"),
    asking(Cookie="sessionid=abc"),
    asking(Transfer_Encoding="chunked"),
    asking(Content_Encoding="gzip"),
    *(asking(method=method) for method in ("GET", "HEAD", "OPTIONS", "PUT")),
    asking(path="/api/v1/spends/"),
    asking(path="/api/v1/spend"),
    asking(query="a=b"),
]


def test_every_request_is_answered_as_django_alone_would(fast: Any, django: Django) -> None:
    ours, theirs = World(), World()
    for request in (*FAST, *OTHER):
        before = django.asked
        reply = send(fast, ours, request)
        assert django.asked - before == (request in OTHER), request
        assert told(reply) == told(send(django, theirs, request)), request
        if request in FAST:
            assert reply.status in (201, 402)
    assert Spend.objects.filter(organization=ours.rich).count() > 10

"""Whatever order Stripe's events come in, the credits depend only on how things end."""

from random import Random

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from world import World, deliver, shuffled

from credits import ledger
from credits.ledger import audit
from credits.models import Email, Grant
from topups.models import Purchase, StripeEvent

ORDERS = 100

AMOUNTS = st.one_of(st.none(), st.integers(1, 12_00))
ACTS = st.one_of(
    st.tuples(st.sampled_from(["refund", "dispute", "inquire", "prevent"]), AMOUNTS),
    st.tuples(
        st.sampled_from(["fail_refund", "respond", "escalate", "win", "lose", "appeal"]),
    ),
)


@hypothesis_settings(
    max_examples=hypothesis_settings.default.max_examples // 2,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    credits=st.integers(1, 1000),
    amount_minor=st.integers(50, 12_00),
    acts=st.lists(ACTS, max_size=8),
    used_share=st.sampled_from([0, 0, 0.3, 0.7, 1]),
    loses=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_the_credits_depend_only_on_the_final_facts(
    site, credits, amount_minor, acts, used_share, loses, random
):
    world = World(credits=credits, amount_minor=amount_minor)
    world.pay()
    used = int(credits * used_share)
    if used:
        # Only what has been granted can be used, so here the payment is told first.
        deliver(world.events())
        ledger.spend(world.organization, "alt-text.generate", quantity=used, now=timezone.now())
    for act, *arguments in acts:
        getattr(world, act)(*arguments)
    told = shuffled(world.events(), random)
    if loses:
        told = random.sample(told, len(told) // 2)
    assert set(deliver(told)) <= {200}
    if loses:
        call_command("reconcile_stripe", verbosity=0)
    assert world.found() == world.expected(used)
    assert list(audit.findings()) == []


STORIES = {
    "card, two refunds": ["pay", ("refund", 333), ("refund", 250)],
    "card, refund that fails": ["pay", "refund", "fail_refund"],
    "dispute won": ["pay", "dispute", "respond", "win"],
    "dispute lost, appealed, won": ["pay", "dispute", "lose", "appeal", "respond", "win"],
    "dispute lost, appealed, lost": ["pay", "dispute", "respond", "lose", "appeal", "lose"],
    "part refunded, rest disputed": ["pay", ("refund", 400), ("dispute", 600), "lose"],
    "inquiry that becomes a dispute": ["pay", ("inquire", 500), "respond", "escalate", "lose"],
    "bank debit, refunded": ["pay_by_bank", "bank_pays", ("refund", 10_00)],
    "bank debit that fails": ["pay_by_bank", "bank_refuses"],
    "three quarters off, part refunded": [("pay_with_a_code", 75), ("refund", 99)],
    "free": [("pay_with_a_code", 100)],
    "never paid": ["expire"],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_recorded_story_ends_the_same_in_a_hundred_orders(site, story):
    world = World()
    for act in STORIES[story]:
        name, *arguments = (act,) if isinstance(act, str) else act
        getattr(world, name)(*arguments)
    recorded = world.events()
    random = Random(story)
    ends = [told_in_some_order(world, recorded, random) for _ in range(ORDERS)]
    assert ends == [ends[0]] * ORDERS
    status, credits, _ = ends[0]
    assert (status == Purchase.Status.PAID) == world.is_paid()
    assert credits == (world.expected() if world.is_paid() else None)


def told_in_some_order(world: World, recorded: list, random: Random) -> tuple:
    """What one order of the events leads to; then all of it is undone."""
    with transaction.atomic():
        assert set(deliver(shuffled(recorded, random))) == {200}
        world.purchase.refresh_from_db()
        granted = Grant.objects.filter(purchase_id=world.purchase.pk).exists()
        end = (
            world.purchase.status,
            world.found() if granted else None,
            # Whether a refund that failed was ever told as made does depend on the order.
            sorted(
                Email.objects.exclude(template="refund_made").values_list("template", flat=True)
            ),
        )
        assert StripeEvent.objects.filter(status="processed").count() == len(recorded)
        assert list(audit.findings()) == []
        transaction.set_rollback(True)
    return end

"""The arithmetic of finance: its examples hold, and whatever moves, nothing is lost to rounding."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topups import accounting, finance
from topups.accounting import MOVEMENTS, roll_forward, worth


@pytest.mark.parametrize("module", [accounting, finance])
def test_the_examples_are_right(module):
    assert doctest.testmod(module).failed == 0


@given(
    net_minor=st.integers(0, 10**10),
    amount=st.integers(1, 10**10),
    opening=st.integers(0, 10**10),
    moved=st.fixed_dictionaries({name: st.integers(-(10**10), 10**10) for name in MOVEMENTS}),
)
def test_money_adds_up_as_credits_do(net_minor, amount, opening, moved):
    price = {"net_minor": net_minor, "amount": amount}
    money = roll_forward(opening, moved, **price)
    change = sum(direction * money[name] for name, direction in MOVEMENTS.items())
    assert money["opening"] + change == money["closing"]
    left = opening + sum(direction * moved[name] for name, direction in MOVEMENTS.items())
    assert money["closing"] == worth(left, **price)
    assert (worth(amount, **price), worth(0, **price)) == (net_minor, 0)

"""Buying and money back, as staff see it: one file per screenful."""

from topups.admin import money_back, plans, purchases, stripe

__all__ = ["money_back", "plans", "purchases", "stripe"]

"""Buying and money back, as staff see it: one file per screenful."""

from topups.admin import finance, money_back, plans, purchases, stripe

__all__ = ["finance", "money_back", "plans", "purchases", "stripe"]

"""Buying and money back, as staff see it: one file per screenful."""

from topups.admin import figures, money_back, plans, purchases, stripe

__all__ = ["figures", "money_back", "plans", "purchases", "stripe"]

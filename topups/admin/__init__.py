"""Buying and money back, as staff see it: one file per screenful."""

from topups.admin import (
    figures,
    finance,
    money_back,
    organization_tab,
    plans,
    purchases,
    stripe,
)

__all__ = ["figures", "finance", "money_back", "organization_tab", "plans", "purchases", "stripe"]

"""A million organizations: the Monday refill, spends in its shadow, and spends among many."""

PARTS = {}

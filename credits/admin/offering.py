"""Actions that are offered for a row where they make sense, on its page and in the list."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.dataclasses import UnfoldAction

from credits.admin.base import ReadOnlyAdmin


class OffersActions(ReadOnlyAdmin):
    """Offers those of `actions_detail` that the user may do and that `sensible` names.

    An action is reached by its address all the same, so each says itself why it can't be done.
    """

    def sensible(self, obj: Any) -> set[str]:
        """The names of the actions that make sense for a row now, told without a query."""
        raise NotImplementedError

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        obj = self.get_object(request, object_id)
        offered = super().get_actions_detail(request, object_id)
        return self._sensible_of(offered, obj) if obj else []

    def get_list_display(self, request: HttpRequest) -> Any:
        """With a column of links, where there are actions that the user may do at all."""
        allowed = super().get_actions_detail(request, None)
        columns = super().get_list_display(request)
        return (*columns, self._column(allowed)) if allowed else columns

    def _column(self, allowed: list[UnfoldAction]) -> Callable[[Model], str]:
        def offers(obj: Model) -> str:
            return format_html_join(
                " ", "{}", ((_link(a, obj),) for a in self._sensible_of(allowed, obj))
            )

        offers.short_description = "do"  # type: ignore[attr-defined]
        return offers

    def _sensible_of(self, actions: list[UnfoldAction], obj: Model) -> list[UnfoldAction]:
        names = self.sensible(obj)
        return [action for action in actions if action.path in names]


def _link(action: UnfoldAction, obj: Model) -> str:
    address = reverse(f"admin:{action.action_name}", args=[obj.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', address, action.description)

"""The purchases of an organization, as a tab of its page."""

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from credits.admin import staff_history, tabs
from credits.admin.base import StaffRequest, link
from credits.admin.tables import number, table
from credits.models import Organization, User
from topups.admin.states import money_back_labels, purchase_label
from topups.models import Purchase

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin

HEADERS = ("When", "Purchase", "Credits", "Paid", "Status", "Money back", "Buyer", "Do")


def show(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    purchases = Purchase.objects.filter(organization=organization).select_related("buyer", "plan")
    turned = tabs.turn(request, purchases.prefetch_related("refunds", "disputes"))
    return tabs.page(
        model_admin,
        request,
        organization,
        "admin/topups/purchase/tab.html",
        turned=turned,
        table=table(HEADERS, (_row(purchase, request.user) for purchase in turned.rows)),
    )


def _row(purchase: Purchase, user: User) -> list[Any]:
    return [
        purchase.created_at,
        link(purchase, purchase.plan.name),
        number(purchase.credits),
        purchase.paid if purchase.is_paid else None,
        purchase_label(purchase),
        money_back_labels(purchase),
        purchase.buyer,
        _refund(purchase, user) if purchase.is_paid else "",
    ]


def _refund(purchase: Purchase, user: User) -> str:
    return tabs.way(user, "Refund", "topups_purchase_refund", purchase.pk, "topups.refund_purchase")


TAB = tabs.Tab("purchases", "Purchases", ("topups.view_purchase",), show)
tabs.register(TAB, after="activity")
staff_history.LOGGED.append(Purchase)

"""What organizations were told about their credits."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from credits import notices
from credits.admin import resending
from credits.admin.base import DayRangeFilter, StaffRequest, link
from credits.admin.ledger import ORGANIZATION
from credits.admin.offering import OffersActions
from credits.admin.searching import OF_ORGANIZATION
from credits.models import Notice


@admin.register(Notice)
class NoticeAdmin(OffersActions):
    list_display = (
        "occurred_at",
        "organization_link",
        "kind",
        "available_credits",
        "ended_at",
        "told_at",
        "emails",
    )
    list_filter = ("kind", ORGANIZATION, ("occurred_at", DayRangeFilter))
    list_select_related = ("organization",)
    found_by = ("organization",)
    search_help_text = OF_ORGANIZATION
    sortable_by = ()
    actions_detail = ("resend",)

    def has_resend_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("credits.resend_notice")

    def sensible(self, obj: Notice) -> set[str]:
        return {"resend"} if notices.may_stand(obj) else set()

    @action(description="Send again", icon="forward_to_inbox", permissions=["view", "resend"])
    def resend(self, request: StaffRequest, object_id: str) -> HttpResponse:
        return resending.resend_view(self, request, self.object_or_404(request, object_id))

    @admin.display(description="organization")
    def organization_link(self, notice: Notice) -> str:
        return link(notice.organization)

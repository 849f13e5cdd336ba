"""What Stripe told us, and how asking it ourselves went."""

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import truncatechars
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import action

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, change_url, label
from credits.admin.offering import OffersActions
from topups import events
from topups.models import Reconciliation, StripeEvent

RETRIES_AT_ONCE = 100
_STATES = {"processed": "success", "received": "warning", "failed": "danger", "rejected": "danger"}


@admin.register(StripeEvent)
class StripeEventAdmin(OffersActions):
    list_display = (
        "received_at",
        "type",
        "event_id",
        "shown_status",
        "attempts",
        "next_attempt_at",
        "shown_error",
    )
    list_filter = ("status", ("received_at", DayRangeFilter))
    found_by = ("event_id__exact", "type__exact")
    search_help_text = "Event id or type"
    sortable_by = ("received_at",)
    fields = (
        "event_id",
        "type",
        "shown_status",
        "error",
        "attempts",
        "received_at",
        "processed_at",
        "next_attempt_at",
        "shown_payload",
    )
    readonly_fields = ("shown_status", "shown_payload")
    actions = ("retry_selected",)  # type: ignore[assignment]
    actions_detail = ("retry",)

    def has_retry_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("topups.retry_stripeevent")

    def sensible(self, obj: StripeEvent) -> set[str]:
        return {"retry"} if _is_unfinished(obj) else set()

    @action(description="Retry", icon="sync", permissions=["view", "retry"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.object_or_404(request, object_id)
        question = self.confirmation(
            request,
            event,
            title=f"Retry {event}?",
            text="It is handled now instead of at its next attempt. However often it is handled, "
            "it counts once.",
            button="Retry",
            variant="primary",
        )
        return question or self._retry_one(request, event)

    def _retry_one(self, request: HttpRequest, event: StripeEvent) -> HttpResponse:
        if not _is_unfinished(event):
            messages.warning(request, f"Nothing to retry: the event is {event.status}.")
        elif self._retry(request, event):
            messages.success(request, f"Done: the event is {event.status}.")
        else:
            messages.error(request, f"It failed again, and is tried on by itself: {event.error}")
        return HttpResponseRedirect(change_url(event))

    @admin.action(description="Retry the unfinished of the selected events", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> None:
        unfinished = queryset.filter(next_attempt_at__isnull=False).order_by("received_at", "pk")
        done = [self._retry(request, event) for event in unfinished[:RETRIES_AT_ONCE]]
        told = f"Retried {len(done)} unfinished of the selected events: {sum(done)} done"
        if all(done):
            messages.success(request, f"{told}.")
        else:
            failed = len(done) - sum(done)
            messages.warning(request, f"{told}, {failed} failed again and are tried on.")

    def _retry(self, request: HttpRequest, event: StripeEvent) -> bool:
        done = events.process(event, now=timezone.now())
        self.log_change(request, event, f"Retried: {event.status}.")
        return done

    @admin.display(description="status")
    def shown_status(self, event: StripeEvent) -> str:
        return label(event.get_status_display(), _STATES.get(event.status, ""))

    @admin.display(description="error")
    def shown_error(self, event: StripeEvent) -> str:
        return truncatechars(event.error, 100)

    @admin.display(description="payload")
    def shown_payload(self, event: StripeEvent) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))


def _is_unfinished(event: StripeEvent) -> bool:
    return event.next_attempt_at is not None


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = (
        "started_at",
        "since",
        "outcome",
        "seen",
        "repaired_count",
        "failures_count",
    )
    list_filter = (("finished_at", admin.EmptyFieldListFilter), ("started_at", DayRangeFilter))
    fields = (
        "started_at",
        "since",
        "outcome",
        "finished_at",
        "seen",
        "shown_repaired",
        "shown_failures",
    )
    readonly_fields = ("outcome", "shown_repaired", "shown_failures")

    @admin.display(description="outcome", ordering="finished_at")
    def outcome(self, run: Reconciliation) -> str:
        if run.finished_at is None:
            # One without a failure is still under way, or its process was killed.
            return label("Broke off", "danger") if run.failures else label("Unfinished", "warning")
        return label("With failures", "warning") if run.failures else label("Finished", "success")

    @admin.display(description="repaired")
    def repaired_count(self, run: Reconciliation) -> int:
        return len(run.repaired)

    @admin.display(description="failures")
    def failures_count(self, run: Reconciliation) -> int:
        return len(run.failures)

    @admin.display(description="repaired")
    def shown_repaired(self, run: Reconciliation) -> str:
        return _lines(run.repaired)

    @admin.display(description="failures")
    def shown_failures(self, run: Reconciliation) -> str:
        return _lines(run.failures)


def _lines(texts: list[str]) -> str:
    return format_html_join("", "<p>{}</p>", ((text,) for text in texts)) or "Nothing"

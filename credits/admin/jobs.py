"""When refills and ledger checks ran, and how each went."""

from django.contrib import admin

from credits.admin.base import DayRangeFilter, ReadOnlyAdmin, label
from credits.models import JobRun

_OUTCOMES = {"running": "info", "done": "success", "findings": "danger", "broke_off": "danger"}


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "job", "as_of", "finished_at", "shown_outcome", "count")
    list_filter = ("job", "outcome", ("as_of", DayRangeFilter))
    fields = ("job", "as_of", "started_at", "finished_at", "shown_outcome", "count", "summary")
    readonly_fields = ("shown_outcome",)

    @admin.display(description="outcome", ordering="outcome")
    def shown_outcome(self, run: JobRun) -> str:
        return label(run.get_outcome_display(), _OUTCOMES[run.outcome])

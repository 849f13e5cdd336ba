"""Who of staff changed what of an organization and when, on a tab of its page.

It brings together Django's log of the admin and the entries that staff made in the ledger.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, Model, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.http import HttpResponse
from django.utils.html import format_html

from credits.admin import tabs
from credits.admin.base import COUNTED_ROWS, StaffRequest, link
from credits.admin.tables import table
from credits.models import ApiKey, Entry, Membership, Organization, User

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin

# The rows of an organization whose log is told; another app adds its own.
LOGGED: list[type[Model]] = [ApiKey, Membership]
LOG, LEDGER = "log", "ledger"


def changes(organization: Organization, user: User) -> QuerySet[Any, Any]:
    """When, in which of the two records and under which id there, newest first.

    Of the log, what is about rows that the user may see.
    """
    own = LogEntry.objects.filter(
        content_type=_content_type(Organization), object_id=str(organization.pk)
    )
    logs = [own, *(_log_of_rows(organization, model) for model in LOGGED if _may_see(user, model))]
    entries = Entry.objects.filter(organization=organization, actor__isnull=False)
    # A branch for each, since an index finds each, and none of them without an end.
    branches = [_newest(log.order_by("-action_time"), LOG, "action_time") for log in logs]
    newest = _newest(entries.order_by("-seq"), LEDGER, "created_at")
    return newest.union(*branches, all=True).order_by("-at", "record", "-row")


def _may_see(user: User, model: type[Model]) -> bool:
    return user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")


def _content_type(model: type[Model]) -> ContentType:
    return ContentType.objects.get_for_model(model)


def _log_of_rows(organization: Organization, model: type[Model]) -> QuerySet[LogEntry]:
    rows = model._default_manager.filter(organization=organization)
    keys = rows.order_by().values_list(Cast("pk", TextField()))
    return LogEntry.objects.filter(content_type=_content_type(model), object_id__in=keys)


def _newest(rows: QuerySet[Any], record: str, at: str) -> QuerySet[Any, Any]:
    facts = {"at": F(at), "record": Value(record), "row": F("pk")}
    return rows.values(**facts).values_list(*facts)[:COUNTED_ROWS]


def _told(found: list[tuple[datetime, str, int]]) -> Iterator[list[Any]]:
    logs = LogEntry.objects.select_related("user", "content_type")
    entries = Entry.objects.select_related("grant", "spend__action", "actor")
    logged = logs.in_bulk([row for _, record, row in found if record == LOG])
    written = entries.in_bulk([row for _, record, row in found if record == LEDGER])
    for _, record, row in found:
        yield _log_row(logged[row]) if record == LOG else _entry_row(written[row])


def _log_row(log: LogEntry) -> list[Any]:
    """As the log names it, since the row itself may be gone."""
    url = None if log.is_deletion() else log.get_admin_url()
    where = log.object_repr
    if url:
        where = format_html('<a class="text-link" href="{}">{}</a>', url, where)
    model = log.content_type.name if log.content_type else ""
    return [log.action_time, log.user, log.get_change_message(), model.capitalize(), where]


def _entry_row(entry: Entry) -> list[Any]:
    what = f"{entry.get_kind_display()} {entry.credits:+,}"
    told = f"{what}: {entry.reason}" if entry.reason else what
    return [entry.created_at, entry.actor, told, "Ledger", link(entry, f"Entry {entry.seq}")]


def show(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    turned = tabs.turn(request, changes(organization, request.user))
    return tabs.page(
        model_admin,
        request,
        organization,
        "admin/credits/organization/history.html",
        turned=turned,
        table=table(("When", "Who", "What", "Of", "Row"), _told(turned.rows)),
    )


TAB = tabs.Tab(
    "history", "Staff changes", ("credits.view_organization", "credits.view_entry"), show
)

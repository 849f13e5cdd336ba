"""What every page of the admin shares."""

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.forms import DateField, HiddenInput, ModelForm, UUIDField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.views import ChangeList as UnfoldChangeList

from credits.admin import searching
from credits.admin.patience import QueryTookTooLong, patience
from credits.models import ApiKey, StaffKey, User

COUNTED_ROWS = 10_000
LIST_MILLISECONDS = 5_000


class StaffRequest(HttpRequest):
    user: User


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the first `COUNTED_ROWS` rows, so that no list counts a table of millions.

    Whatever lies beyond is found by search and filters, not by turning pages.
    """

    template_name = "admin/credits/pagination.html"

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        # Any so many will do: in no order, and without what the list works out for each row.
        return rows.order_by().values("pk")[:COUNTED_ROWS].count()

    @property
    def is_capped(self) -> bool:
        return self.count == COUNTED_ROWS


class ChangeList(UnfoldChangeList):
    result_list: Any

    def get_ordering_field(self, field_name: str) -> Any:
        """None where the list does not offer it: an address must not sort millions of rows."""
        offered = self.sortable_by is None or field_name in self.sortable_by
        return super().get_ordering_field(field_name) if offered else None

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[Any]:
        # PostgreSQL takes no NUL, which fields of choices do not look for in a value.
        if any("\0" in value for value in self.params.values()):
            raise IncorrectLookupParameters("No row has a NUL.")
        found = super().get_queryset(request, exclude_parameters)
        arranged: QuerySet[Any] = self.model_admin.arranged(found, self)
        return arranged

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Unfiltered, the rows counted are all there are: no second number to set beside them.
        if not (self.has_active_filters or self.query):
            self.full_result_count = self.result_count
        self.result_list = self._rows_of(self.result_list)

    def _rows_of(self, page: QuerySet[Any]) -> list[Any]:
        """The rows of a page, of which only the keys are looked for among all there are.

        What belongs to a row, and what the list works out for it, is then read for those alone.
        """
        keys = list(page.prefetch_related(None).values_list("pk", flat=True))
        rows = self.apply_select_related(self.root_queryset).order_by().in_bulk(keys)
        return [rows[key] for key in keys if key in rows]


class DayRangeFilter(RangeDateFilter):
    """Rows from the first to the last of some days, both whole and in UTC."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        days = self.days
        return queryset.filter(**{f"{self.field_path}__range": days}) if days else queryset

    @property
    def days(self) -> tuple[datetime, datetime] | None:
        """The first and the last moment asked for; None where none is."""
        first, last = self._day("from"), self._day("to")
        if not (first or last):
            return None
        return (
            datetime.combine(first or date.min, time.min, UTC),
            datetime.combine(last or date.max, time.max, UTC),
        )

    def _day(self, end: str) -> date | None:
        text = self.used_parameters.get(f"{self.field_path}_{end}")
        try:
            return DateField(required=False).clean(text)
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error


class ModelAdmin(UnfoldModelAdmin):
    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    # Numbers beside the filters would count the whole table.
    show_facets = ShowFacets.NEVER
    warn_unsaved_form = True
    # What a long list is searched by (see `searching.rows`); short ones have `search_fields`.
    found_by: tuple[str, ...] = ()
    not_found = searching.NOT_FOUND

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.found_by or super().get_search_fields(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if "\0" in term:
            return queryset.none(), False
        if term and self.found_by:
            found, request.search_is_cut = self.found(queryset, term)  # type: ignore[attr-defined]
            return found, False
        return super().get_search_results(request, queryset, search_term)

    def found(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """The rows that a search finds, and whether there may be more of them."""
        return searching.rows(queryset, self.found_by, term)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return ChangeList

    def arranged(self, found: QuerySet[Any], changelist: ChangeList) -> QuerySet[Any]:
        """The rows of the list once more, as a list may have them in its own order."""
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Within some seconds, or else with the advice to look for less."""
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        try:
            with patience(LIST_MILLISECONDS):
                return self._rendered(request, super().changelist_view(request, extra_context))
        except QueryTookTooLong:
            return self._took_too_long(request)

    def _rendered(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """With its rows read, which a template would otherwise do later."""
        if not isinstance(response, TemplateResponse):
            return response
        changelist = (response.context_data or {}).get("cl")
        if changelist and changelist.query and not changelist.result_count and self.found_by:
            messages.info(request, self.not_found)
        if getattr(request, "search_is_cut", False):
            messages.info(request, searching.CUT_SHORT)
        return response.render()

    def _took_too_long(self, request: HttpRequest) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Too many {self.opts.verbose_name_plural} to look through",
            "back": request.path,
        }
        return TemplateResponse(request, "admin/credits/too_long.html", context, status=503)

    def save_model(
        self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool
    ) -> None:
        """Write what the form changed and nothing else: the row may have moved on meanwhile."""
        if change:
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.changed_data))
        else:
            obj.save()

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """None also for an id with NUL, which PostgreSQL does not take."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address wants filled in, less what its fields cannot hold."""
        asked = super().get_changeform_initial_data(request)
        return {name: value for name, value in asked.items() if self._fits(name, value)}

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(self._fits("pk", key) for key in selected):
            raise BadRequest("These are no rows of this list.")
        return super().response_action(request, queryset)

    def _fits(self, name: str, value: Any) -> bool:
        try:
            field = self.opts.pk if name == "pk" else self.opts.get_field(name)
            field.to_python(value)
        except (FieldDoesNotExist, ValidationError):
            return False
        return "\0" not in str(value)

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404(f"There is no {self.opts.verbose_name} with this id.")
        return obj

    def with_id(self, object_id: Any) -> QuerySet[Any]:
        """The row that an address names; none where it names what is no id at all."""
        rows = self.model._default_manager.all()
        return rows.filter(pk=object_id) if self._fits("pk", object_id) else rows.none()

    def page(
        self, request: HttpRequest, template: str, obj: Model, **context: Any
    ) -> TemplateResponse:
        """A page of its own beside an object's change form."""
        request.current_app = self.admin_site.name
        shared = self.admin_site.each_context(request)
        context = {**shared, "opts": self.opts, "original": obj, "back": change_url(obj), **context}
        return TemplateResponse(request, template, context)

    def confirmation(
        self,
        request: HttpRequest,
        obj: Model,
        *,
        title: str,
        text: str,
        button: str,
        variant: str = "danger",
    ) -> TemplateResponse | None:
        """The page that asks before something is done, or None once it was answered by POST."""
        if request.method == "POST":
            return None
        words = {"title": title, "text": text, "button": button, "variant": variant}
        return self.page(request, "admin/credits/confirmation.html", obj, **words)

    def done(self, request: HttpRequest, obj: Model, what: str) -> HttpResponseRedirect:
        """Log what was done to an object, say so, and go back to its page."""
        self.log_change(request, obj, f"{what}.")
        messages.success(request, f"{what} {obj}.")
        return HttpResponseRedirect(change_url(obj))


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only verbs write: staff, superusers too, read them here and change nothing."""

    actions = None
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def change_url(obj: Model) -> str:
    # Django unquotes the key it finds in an address, and one of Stripe's has underscores.
    key = quote(obj.pk)
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[key])


def link(obj: Model | None, text: str | None = None) -> str:
    """A link to the admin page of a row, or a dash for none."""
    if obj is None:
        return "-"
    return format_html('<a class="text-link" href="{}">{}</a>', change_url(obj), text or obj)


def one_time_id() -> UUIDField:
    """A field that is made with the empty form, so that sending one form twice does one thing."""
    lost = "This form lost its one-time id; open the page again."
    return UUIDField(
        initial=uuid4,
        widget=HiddenInput,
        error_messages=dict.fromkeys(("required", "invalid"), lost),
    )


def label(text: str, variant: str = "") -> str:
    return render_to_string("unfold/helpers/label.html", {"text": text, "variant": variant})


def key_status(key: ApiKey | StaffKey, now: datetime) -> str:
    if key.revoked_at:
        return label("Revoked", "danger")
    if key.expires_at and key.expires_at <= now:
        return label("Expired", "warning")
    return label("Works", "success")

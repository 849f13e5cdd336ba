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
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.views import ChangeList as UnfoldChangeList

from credits.models import ApiKey, StaffKey, User

COUNTED_ROWS = 10_000


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
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Unfiltered, the rows counted are all there are: no second number to set beside them.
        if not (self.has_active_filters or self.query):
            self.full_result_count = self.result_count


class DayRangeFilter(RangeDateFilter):
    """Rows from the first to the last of some days, both whole and in UTC."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if first := self._day("from"):
            queryset = queryset.filter(
                **{f"{self.field_path}__gte": datetime.combine(first, time.min, UTC)}
            )
        if last := self._day("to"):
            queryset = queryset.filter(
                **{f"{self.field_path}__lte": datetime.combine(last, time.max, UTC)}
            )
        return queryset

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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return ChangeList

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

"""Trying out the rows of a file: what each would do, or what is wrong with it, by column."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from django import forms
from django.core.exceptions import ValidationError

from credits import reports
from credits.adjustments import rules
from credits.adjustments.files import Line
from credits.models import Adjustment, Organization
from credits.models import BulkAdjustmentRow as Row
from credits.models.adjustments import MAX_REFERENCE_LENGTH, MAX_TEXT_LENGTH
from credits.models.organizations import MAX_CREDITS
from credits.moments import parse_moment

# Never to change: the same reference of an organization must give the same id for ever.
_NAMESPACE = UUID("2b6f3a51-3f0e-4d8b-9a0c-5d6f1c7e8a94")


class MomentField(forms.CharField):
    """A moment as ISO 8601 writes it; a day alone is its beginning in UTC."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return parse_moment(text).astimezone(UTC) if text else None
        except (ValueError, OverflowError) as error:
            raise ValidationError(
                "Write it like 2030-01-31 or 2030-01-31T12:00:00Z, in UTC."
            ) from error


FIELDS: dict[str, forms.Field] = {
    "organization": forms.CharField(),
    "credits": forms.IntegerField(min_value=-MAX_CREDITS, max_value=MAX_CREDITS),
    "reason": forms.ChoiceField(
        choices=Adjustment.Reason.choices,
        error_messages={"invalid_choice": f"Write one of {', '.join(Adjustment.Reason.values)}."},
    ),
    "text": forms.CharField(required=False, max_length=MAX_TEXT_LENGTH),
    "expires_at": MomentField(required=False),
    "ticket": rules.TicketField(),
    "reference": forms.CharField(max_length=MAX_REFERENCE_LENGTH),
}


def clean(cells: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a row's cells, and what is wrong with those that have none."""
    values, problems = {}, {}
    for name, field in FIELDS.items():
        text = cells[name].lower() if name == "reason" else cells[name]
        try:
            values[name] = field.clean(text)
        except ValidationError as error:
            problems[name] = " ".join(error.messages)
    return values, problems


def adjustment_id(organization: Organization, reference: str) -> UUID:
    """The one id that a reference has in an organization, whatever file it comes in."""
    return uuid5(_NAMESPACE, f"{organization.public_id} {reference}")


def check(lines: list[Line], *, now: datetime) -> list[Row]:
    """What each row would do now, in the order of the file, which is the order of making them."""
    cleaned = [clean(line.cells) for line in lines]
    checks = _Checks([values for values, _ in cleaned], now)
    return [
        checks.row(line, values, problems)
        for line, (values, problems) in zip(lines, cleaned, strict=True)
    ]


class _Checks:
    """What the rows of one file are compared with: the database, and the rows before."""

    def __init__(self, rows: list[dict[str, Any]], now: datetime) -> None:
        self.now = now
        public_ids = {row["organization"] for row in rows if "organization" in row}
        self.organizations = Organization.objects.in_bulk(public_ids, field_name="public_id")
        ids = [adjustment_id(*named) for row in rows if (named := self._named(row))]
        self.made = Adjustment.objects.in_bulk(ids)
        self.available = self._available(rows)
        self.gained: Counter[int] = Counter()
        self.first_lines: dict[UUID, int] = {}

    def _named(self, values: dict[str, Any]) -> tuple[Organization, str] | None:
        """The organization and reference of a row, where it has both."""
        organization = self.organizations.get(values.get("organization", ""))
        reference = values.get("reference")
        return (organization, reference) if organization and reference else None

    def _available(self, rows: list[dict[str, Any]]) -> dict[int, int]:
        """What each organization has now from which a row takes."""
        takers = {row.get("organization") for row in rows if row.get("credits", 0) < 0}
        found = Organization.objects.filter(
            pk__in={one.pk for public_id, one in self.organizations.items() if public_id in takers}
        ).annotate(available=reports.Available(self.now))
        return dict(found.order_by().values_list("pk", "available"))

    def row(self, line: Line, values: dict[str, Any], problems: dict[str, str]) -> Row:
        row = Row(
            line=line.number,
            cells=line.cells,
            organization=self.organizations.get(values.get("organization", "")),
            credits=values.get("credits"),
            outcome=Row.Outcome.WAITING,
        )
        if row.organization is None:
            problems.setdefault("organization", "There is no organization with this public id.")
        if line.extra:
            problems["row"] = f"It has more cells than there are columns: {line.extra[0][:50]}."
        if named := self._named(values):
            self._compare(row, adjustment_id(*named), values, problems)
        if problems:
            row.outcome, row.problems = Row.Outcome.REFUSED, problems
        return row

    def _compare(
        self, row: Row, id_: UUID, values: dict[str, Any], problems: dict[str, str]
    ) -> None:
        """With the rows before, with what was made before, and with what there is to take."""
        first_line = self.first_lines.setdefault(id_, row.line)
        if first_line != row.line:
            problems["reference"] = f"Line {first_line} has this organization and reference too."
        if problems:
            return
        organization, credits = self.organizations[values["organization"]], values["credits"]
        if made := self.made.get(id_):
            row.outcome = Row.Outcome.DONE_BEFORE
            if made.asked != wanted(organization, values).asked:
                problems["reference"] = rules.USED_BEFORE
            return
        problems.update(rules.problems(values, now=self.now))
        left = self.available.get(organization.pk, 0) + self.gained[organization.pk]
        if credits < 0 and left + credits < 0:
            problems["credits"] = rules.at_most(left)
        if not problems:
            self.gained[organization.pk] += credits


def wanted(organization: Organization, values: dict[str, Any]) -> Adjustment:
    """The adjustment that a row asks for, not yet made."""
    return Adjustment(
        id=adjustment_id(organization, values["reference"]),
        organization=organization,
        credits=values["credits"],
        reason=values["reason"],
        text=values["text"],
        ticket=values["ticket"],
        expires_at=values["expires_at"],
    )

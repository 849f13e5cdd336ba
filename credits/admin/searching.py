"""How lists are searched however long they are: by exact values, or by organizations and users.

Nothing here looks into millions of rows for a part of a text. What somebody types is first taken
for an exact id or address, each of which has an index; else for the beginnings of words in names of
organizations and users, which have full-text indexes, and a list shows the rows of those found.
"""

import re
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.contrib.postgres.search import SearchQueryField
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Func, Model, Q, QuerySet, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.functions import Cast

from credits.models import Membership, Organization, User
from credits.models.words import Words

# Of organizations or users themselves so many are listed.
MOST_LISTED = 1_000
# Of so many organizations or users the rows are looked up; whoever finds more types more.
MOST_FOUND = 100
MOST_WORDS = 8
# Of each word so many letters are looked for: no name has longer ones, and PostgreSQL takes 2,046
# bytes at most.
MOST_LETTERS = 300
OF_ORGANIZATION = "Organization, its public id or a member's email"
NOT_FOUND = (
    "Nothing found. Names are found by the beginnings of their words, ids and email addresses only "
    "as a whole."
)

CUT_SHORT = (
    f"So many have words like these that only {MOST_LISTED:,} of them, or the rows of {MOST_FOUND} "
    "of them, are listed: type more of the name."
)

Found = TypeVar("Found", Organization, User)


class _Matches(Func):
    arg_joiner = " @@ "
    template = "(%(expressions)s)"
    output_field = BooleanField()


def organizations(term: str) -> QuerySet[Organization]:
    """Whose name has words that begin like those of `term`, or whose public id or member it is."""
    if "@" in term:
        members = Membership.objects.filter(user__email=term.lower())
        return Organization.objects.filter(pk__in=members.values("organization"))
    if term.lower().startswith("org_"):
        return Organization.objects.filter(public_id=term.lower())
    return Organization.objects.filter(_have_words(term, "name"))


def users(term: str) -> QuerySet[User]:
    """Whose address or name has words that begin like those of `term`; or whose address it is."""
    whole = User.objects.filter(email=term.lower())
    if "@" in term and whole.exists():
        return whole
    return User.objects.filter(_have_words(term, "email", "first_name", "last_name"))


def rows(queryset: QuerySet[Any], fields: Iterable[str], term: str) -> tuple[QuerySet[Any], bool]:
    """The rows of a list that `term` finds in `fields`, and whether they are not all there are.

    Those with a lookup (`id__exact`) hold the whole of it, and each must have an index. Where none
    does, those without one (`organization`) lead to the organization or user whose rows are meant.
    """
    names = list(fields)
    for exact in _exactly(queryset.model, filter(_is_whole, names), term):
        if queryset.filter(exact).exists():
            return queryset.filter(exact), False
    keys = {
        f"{name}__in": _keys(queryset.model, name, term) for name in names if not _is_whole(name)
    }
    found = reduce(or_, (Q((name, value)) for name, value in keys.items() if value), Q())
    is_cut = any(len(value) == MOST_FOUND for value in keys.values())
    return queryset.filter(found) if found else queryset.none(), is_cut


def first_of(queryset: QuerySet[Found], found: QuerySet[Found]) -> tuple[QuerySet[Found], bool]:
    """Of a list of organizations or users those found, and whether there may be more."""
    keys = list(found.order_by().values_list("pk", flat=True)[:MOST_LISTED])
    return queryset.filter(pk__in=keys), len(keys) == MOST_LISTED


def _is_whole(name: str) -> bool:
    return name.endswith(("__exact", "__startswith"))


def _exactly(model: type[Model], names: Iterable[str], term: str) -> Iterable[Q]:
    """A condition for each of the fields that could hold `term`."""
    for name in names:
        path, _, _ = name.rpartition(LOOKUP_SEP)
        try:
            _field(model, path).to_python(term)
        except ValidationError:
            continue
        yield Q(**{name: term})


def _keys(model: type[Model], name: str, term: str) -> list[int]:
    """Of the organizations or users that a field leads to, those that `term` finds."""
    found: QuerySet[Any]
    if _field(model, name).related_model is Organization:
        found = organizations(term)
    else:
        found = users(term)
    return list(found.order_by().values_list("pk", flat=True)[:MOST_FOUND])


def _field(model: type[Model], path: str) -> Any:
    first, _, rest = path.partition(LOOKUP_SEP)
    field: Any = model._meta.get_field(first)
    return _field(field.related_model, rest) if rest else field


def _have_words(term: str, *columns: str) -> _Matches:
    """Whether each word of `term` begins a word of the columns; nothing does without words."""
    words = re.findall(r"[^\W_]+", term.lower())[:MOST_WORDS]
    query = " & ".join(f"'{word[:MOST_LETTERS]}':*" for word in words)
    return _Matches(Words(*columns), Cast(Value(query), SearchQueryField()))

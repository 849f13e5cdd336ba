"""Words of texts as the database indexes them: full text without a language and its grammar."""

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Func


class Words(Func):
    """The words of some columns in lower case, so that each is found by its beginning.

    A word is what stands between other signs: `ada.lopez@shop.example` has four.
    """

    template = (
        "array_to_tsvector(array_remove("
        "regexp_split_to_array(lower(%(expressions)s), '[^[:alnum:]]+'), ''))"
    )
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()

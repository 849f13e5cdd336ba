"""Numbers of credits as people read them."""

from django.utils.formats import number_format
from django.utils.translation import ngettext


def counted(number: int, name: str = "credits") -> str:
    """The number with its name: `counted(1200)` is `1,200 credits`, `counted(1)` is `1 credit`.

    Of the names that staff chose only one that ends in "credits" has a singular; any other stays as
    it is. The word "credits" itself is told in the reader's language.
    """
    figure = number_format(number, force_grouping=True)
    if name == "credits":
        return ngettext("{number} credit", "{number} credits", number).format(number=figure)
    singular = number == 1 and name.endswith("credits")
    return f"{figure} {name.removesuffix('s') if singular else name}"

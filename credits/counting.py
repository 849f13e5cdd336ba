"""Numbers of credits as people read them."""


def counted(number: int, name: str = "credits") -> str:
    """The number with its name: `counted(1200)` is `1,200 credits`, `counted(1)` is `1 credit`.

    Only a name that ends in "credits" has a singular; any other that staff chose stays as it is.
    """
    singular = number == 1 and name.endswith("credits")
    return f"{number:,} {name.removesuffix('s') if singular else name}"

"""What the tests of browser tokens share: a server with a secret key, and pages with its tokens."""

from tests.credits.support import Api

SHOP = "https://shop.example"
ACTION = "alt-text.generate"


class Page(Api):
    """A web page: it calls with a token, and its browser says where it comes from."""

    def __init__(self, token: str, **headers: str) -> None:
        super().__init__(token)
        self.headers |= headers


def ask(server: Api, **changes: object):
    """Ask for a token as `server`; a field that is changed to None is left out."""
    body = {"actions": [ACTION], "origins": [SHOP], "spend_limit": 20, **changes}
    return server.post("tokens", {name: value for name, value in body.items() if value is not None})


def page(server: Api, origin: str = SHOP, **changes: object) -> Page:
    """A page of an origin with a new token."""
    return Page(ask(server, **changes).json()["token"], Origin=origin)

"""Browser tokens: what they may do, from where, how much, until when."""

import pytest

from credits.access import create_key
from tests.credits.support import Api, assert_problem

SHOP = "https://shop.example"


@pytest.fixture
def made(organization):
    return create_key(name="Shop", organization=organization, allowed_origins=[SHOP])


@pytest.fixture
def server(made):
    return Api(made[1])


def ask(server, **changes):
    body = {"actions": ["alt-text.generate"], "origins": [SHOP], "spend_limit": 5, **changes}
    return server.post("tokens", {name: value for name, value in body.items() if value is not None})


class Page(Api):
    """A web page: it calls with a token, and the browser says where it comes from."""

    def __init__(self, token: str, **headers: str) -> None:
        super().__init__(token)
        self.headers |= headers


def page(server, origin=SHOP, **changes) -> Page:
    return Page(ask(server, **changes).json()["token"], Origin=origin)


def test_a_page_spends_with_a_token(server, organization):
    response = ask(server)
    assert response.status_code == 201, response.content
    shop = page(server)
    r = shop.spend()
    assert r.status_code == 201, r.content
    assert r.headers["Access-Control-Allow-Origin"] == SHOP
    assert shop.spend(quantity=5).json()["code"] == "spend_limit_reached"
    assert shop.spend(quantity=4).status_code == 201
    assert_problem(shop.spend(), 403, "spend_limit_reached")

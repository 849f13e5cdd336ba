"""Somebody in front of pages that a real server serves."""

import re

import requests
from django.test import Client

from credits.models import Membership, Organization, User


class Visitor:
    """Somebody signed in, who may meet any server of the same database."""

    def __init__(self, organization: Organization, **fields: bool) -> None:
        self.user = User.objects.create_user(f"{len(fields)}@example.com", **fields)
        Membership.objects.create(organization=organization, user=self.user)
        client = Client()
        client.force_login(self.user)
        self.session = requests.Session()
        for name, morsel in client.cookies.items():
            self.session.cookies.set(name, morsel.value)

    def get(self, address: str) -> requests.Response:
        return self.session.get(address, timeout=30, allow_redirects=False)

    def post(self, address: str, data: dict[str, str]) -> requests.Response:
        page = self.get(address).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token, page
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.session.post(
            address,
            {**hidden, "csrfmiddlewaretoken": token[1], **data},
            timeout=30,
            allow_redirects=False,
            headers={"Referer": address},
        )

"""What the tests of credits share: an extension that calls, and what its answers must be."""

from datetime import UTC, datetime

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credits.models import Entry, Organization

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


class Api:
    """An extension: it calls the API over HTTP with its key."""

    def __init__(self, secret: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {secret}"}

    def get(self, path: str, **query: str):
        return self.client.get(f"/api/v1/{path}", query, headers=self.headers)

    def post(self, path: str, body: object = None, key: str | None = None, **headers: str):
        sent = {**self.headers, **headers}
        if key is not None:
            sent["Idempotency-Key"] = key
        return self.client.post(
            f"/api/v1/{path}",
            {} if body is None else body,
            content_type="application/json",
            headers=sent,
        )

    def spend(self, action: str = "alt-text.generate", *, key: str | None = None, **fields):
        return self.post("spends", {"action": action, **fields}, key)


def entries(organization):
    return list(organization.entries.order_by("seq").values_list("seq", "kind", "credits"))


def query_count(client: Client, url: str) -> int:
    """How often a page asks the database; a session's first visit, which asks more, is not it."""
    assert client.get(url).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        assert client.get(url).status_code == 200
    return len(asked)


def assert_problem(response, status: int, code: str) -> dict:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    return body


def assert_untouched(organization: Organization) -> None:
    assert not organization.spends.exists()
    assert not Entry.objects.filter(organization=organization).exists()

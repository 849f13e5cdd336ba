"""Request ids and log lines: there when needed, and silent about secrets."""

import json
import logging
import logging.config
import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from config.observability import RequestFilter

ALIVE = "/health/"


def fails(request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(1 // 0)


urlpatterns = [path("fails/<str:key>/", fails)]


@pytest.fixture
def json_line() -> Callable[[logging.LogRecord], dict[str, object]]:
    """A log record as production writes it."""
    configurator = logging.config.DictConfigurator({"version": 1})
    formatter = configurator.configure_formatter(dict(settings.LOGGING["formatters"]["json"]))

    def write(record: logging.LogRecord) -> dict[str, object]:
        RequestFilter().filter(record)
        line: dict[str, object] = json.loads(formatter.format(record))
        return line

    return write


def test_a_sane_request_id_comes_back(client: Client) -> None:
    assert client.get(ALIVE, headers={"X-Request-ID": "order-4711.a"})["X-Request-ID"] == (
        "order-4711.a"
    )


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "two words!", "a\tb\tc\td\te", "ünïcödé-id"]
)
def test_anything_else_is_replaced_by_a_new_one(client: Client, given: str) -> None:
    ids = {client.get(ALIVE, headers={"X-Request-ID": given})["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


def test_every_line_of_a_request_has_its_id(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(RequestFilter())
    client.get(ALIVE, headers={"X-Request-ID": "order-4711"})
    [record] = [one for one in caplog.records if one.name == "credits.requests"]
    assert record.request_id == "order-4711"
    assert record.getMessage().startswith("GET /health/ 200 in ")


@pytest.mark.django_db
def test_a_log_line_names_the_route_and_not_the_path(
    client: Client,
    caplog: pytest.LogCaptureFixture,
    json_line: Callable[[logging.LogRecord], dict[str, object]],
) -> None:
    caplog.set_level(logging.DEBUG)
    client.get("/problems/a-secret-in-the-path/?token=another-secret")
    written = json.dumps([json_line(record) for record in caplog.records])
    assert "/problems/<slug:" in written
    assert "secret" not in written


@pytest.mark.urls(__name__)
def test_a_failing_page_too_keeps_its_path_out_of_the_log(
    client: Client,
    caplog: pytest.LogCaptureFixture,
    json_line: Callable[[logging.LogRecord], dict[str, object]],
) -> None:
    client.raise_request_exception = False
    client.get("/fails/sécret/?token=another-secret", headers={"X-Request-ID": "order-4711"})
    [line] = [json_line(record) for record in caplog.records if record.name == "django.request"]
    assert "/fails/<str:key>/" in str(line["message"])
    assert line["request_id"] == "order-4711"
    assert "ZeroDivisionError" in str(line["exc_info"])
    assert "cret" not in str(line)


def test_production_writes_json_with_level_logger_time_and_request_id(
    json_line: Callable[[logging.LogRecord], dict[str, object]],
) -> None:
    record = logging.LogRecord("credits.tasks", logging.INFO, "", 1, "%s lapsed", (3,), None)
    line = json_line(record)
    assert line["message"] == "3 lapsed"
    assert line["level"] == "INFO"
    assert line["logger"] == "credits.tasks"
    assert {"timestamp", "request_id"} <= set(line)

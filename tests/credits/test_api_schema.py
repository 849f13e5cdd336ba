"""The OpenAPI schema says what is so: its examples are true, and the server keeps to it.

Schemathesis (https://schemathesis.readthedocs.io/) makes requests from the schema, right ones and
wrong ones, and compares what the server answers with what the schema says it may answer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.cache import cache
from django.test import Client

from credits.access import create_key
from credits.api import examples
from credits.api.problems import PROBLEMS
from credits.models import Action, Organization
from tests.credits.support import Api

MAX_EXAMPLES = 60 if os.environ.get("CI") else 10
ORIGIN = "https://shop.example"


@pytest.fixture
def customer(db) -> Api:
    """An organization that sees its balance and has credits for more than the examples take."""
    cache.clear()
    organization = Organization.objects.create(
        name="Acme", weekly_credits=1_000_000, show_balance=True
    )
    _, secret = create_key(name="Test", organization=organization, allowed_origins=[ORIGIN])
    return Api(secret)


@pytest.fixture
def document(client: Client, db) -> dict[str, Any]:
    """The schema as it is served."""
    response = client.get("/api/schema/")
    assert response.status_code == 200
    return response.json()


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Path, method and description of each call by its id."""
    return {
        operation["operationId"]: (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def check(document: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    """Refuse what does not fit the schema, or has a field that it does not tell of."""
    whole = {**schema, "components": document["components"]}
    jsonschema.validate(instance, whole, format_checker=jsonschema.FormatChecker())


# What it says of itself


def test_every_call_has_a_name_a_group_a_summary_and_security(document):
    assert set(operations(document)) == set(examples.ANSWERS)
    groups = {tag["name"] for tag in document["tags"]}
    for _, _, operation in operations(document).values():
        assert set(operation["tags"]) <= groups
        assert operation["summary"]
        is_for_staff = operation["tags"] == ["Explain"]
        assert operation["security"] == [{"StaffKey" if is_for_staff else "ApiKey": []}]


def test_every_problem_has_a_schema_and_a_call_that_answers_it(document):
    told = {
        code
        for _, _, operation in operations(document).values()
        for response in operation["responses"].values()
        for code in PROBLEMS
        if f"`{code}`" in response["description"]
    }
    # No call that is in the schema answers to a method that is not.
    assert told == set(PROBLEMS) - {"method_not_allowed"}


def test_forms_are_closed_and_answers_are_open(document):
    for name, component in document["components"]["schemas"].items():
        is_form = name.endswith("Form") or name == "Batch"
        assert (component.get("additionalProperties") is False) == is_form, name


# Its examples


def test_each_example_fits_its_schema(document):
    found = 0
    for _, _, operation in operations(document).values():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (content for body in bodies for content in body.get("content", {}).values()):
            for example in content["examples"].values():
                check(document, content["schema"], example["value"])
                found += 1
    assert found > 100


def test_each_example_of_a_request_is_answered_as_its_example_shows(document, customer):
    made = {name: customer.post(f"{name}s", examples.REQUESTS[name]).json() for name in MADE}
    again = customer.post("holds", examples.REQUESTS["hold"]).json()
    ids = {"refund": made["spend"]["id"], "capture": made["hold"]["id"], "release": again["id"]}
    Organization.objects.update(weekly_credits=50, show_balance=False)
    for name, (path, method, operation) in operations(document).items():
        if operation["tags"] == ["Explain"]:
            continue  # With a staff key, in test_explain_api.py.
        path = path.removeprefix("/api/v1/")
        for parameter in ("{spend_id}", "{hold_id}"):
            path = path.replace(parameter, ids.get(name, ""))
        if name in ("get_balance", "get_usage"):
            Organization.objects.update(show_balance=True)
        response = (
            customer.get(path, **({"action": "alt-text.generate"} if name == "check" else {}))
            if method == "get"
            else customer.post(path, examples.REQUESTS[name])
        )
        described = operation["responses"][str(response.status_code)]["content"]
        content = described[response.headers["Content-Type"]]
        check(document, content["schema"], response.json())
        assert shape(response.json()) == shape(examples.ANSWERS[name]), name
        Organization.objects.update(show_balance=False)


MADE = ("spend", "hold")


def shape(value: object) -> object:
    """The names of an answer and the kinds of its values; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value)


# What the server makes of it


@pytest.fixture
def informed(site: str, client: Client, tmp_path: Path) -> Path:
    """The served schema in a file, told what is data: which actions are sold, and to which page."""
    document = client.get("/api/schema/").json()
    codes = list(Action.objects.values_list("code", flat=True))
    schemas = document["components"]["schemas"]
    for name in ("SpendForm", "HoldForm", "BatchItemForm"):
        schemas[name]["properties"]["action"]["enum"] = codes
    schemas["TokenForm"]["properties"]["actions"]["items"]["enum"] = codes
    schemas["TokenForm"]["properties"]["origins"]["items"]["enum"] = [ORIGIN]
    for parameter in document["paths"]["/api/v1/check"]["get"]["parameters"]:
        if parameter["name"] == "action":
            parameter["schema"]["enum"] = codes
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    return path


def test_the_server_keeps_to_its_schema(site, informed, customer):
    program = Path(sys.executable).with_name("schemathesis")
    config = Path(__file__).with_name("schemathesis.toml")
    tried = subprocess.run(
        [
            *(program, "--config-file", config, "run", informed, "--url", site),
            *("--header", f"Authorization: {customer.headers['Authorization']}"),
            # One worker: CPython 3.11 fails where two threads parse code at once (gh-106905).
            *("--max-examples", str(MAX_EXAMPLES), "--workers", "1"),
            *("--continue-on-failure", "--no-color"),
        ],
        cwd=informed.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr

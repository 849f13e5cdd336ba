"""Files of adjustments as staff make them, and the pages that take them."""

import csv
import io
from collections.abc import Iterable

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, TestCase

from credits.models import BulkAdjustment, Organization

UPLOAD = "/admin/credits/bulkadjustment/upload/"
COLUMNS = ("organization", "credits", "reason", "text", "expires_at", "ticket", "reference")


def row(organization: Organization, credits: object = 100, **cells: str) -> dict[str, str]:
    usual = {"reason": "goodwill", "text": "Sorry", "reference": "friday"}
    return {
        "organization": organization.public_id,
        "credits": str(credits),
        **usual,
        **cells,
    }


def csv_file(
    rows: Iterable[dict[str, str]], *, columns: Iterable[str] = COLUMNS, separator: str = ","
) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def send(client: Client, content: bytes, name: str = "friday.csv"):
    return client.post(UPLOAD, {"file": SimpleUploadedFile(name, content)}, follow=True)


def upload(client: Client, *rows: dict[str, str]) -> BulkAdjustment:
    """The bulk that its file became, after the dry run."""
    response = send(client, csv_file(rows))
    return response.context["original"]


def page_of(bulk: BulkAdjustment) -> str:
    return f"/admin/credits/bulkadjustment/{bulk.pk}/change/"


def confirm(client: Client, bulk: BulkAdjustment, **fields: str):
    """Confirm, let the worker be done where there is one, and come back to the page."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        response = client.post(f"/admin/credits/bulkadjustment/{bulk.pk}/confirm/", fields)
    return client.get(response.url) if response.status_code == 302 else response


def result(client: Client, bulk: BulkAdjustment) -> list[dict[str, str]]:
    response = client.get(f"/admin/credits/bulkadjustment/{bulk.pk}/result/")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text)))

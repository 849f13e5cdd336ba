"""Background removal as a plain API, to see what selling a call by the credit looks like."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from credits import ledger
from credits.api import base
from credits.api.problems import ApiProblem
from credits.api.serializers import Form
from credits.models import Spend
from credits.playground import cutout

ACTION = "background.remove"
CONTENT_TYPES = ("image/png", "image/jpeg")
MAX_PICTURE_BYTES = 5_000_000
HOLD_SECONDS = 120


class PictureParser(BaseParser):
    """The body as it is, at most MAX_PICTURE_BYTES of it."""

    media_type = "image/*"

    def parse(
        self, stream: Any, media_type: Any = None, parser_context: Any = None
    ) -> dict[str, bytes]:
        picture = stream.read(MAX_PICTURE_BYTES + 1)
        if len(picture) > MAX_PICTURE_BYTES:
            message = f"Send a picture of at most {MAX_PICTURE_BYTES:,} bytes."
            raise ApiProblem("payload_too_large", message)
        return {"picture": picture}


class PictureNegotiation(base.NoNegotiation):
    """A PNG or a JPEG comes in; errors go out as problem documents."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        if request.content_type.split(";")[0].strip().lower() not in CONTENT_TYPES:
            message = f"Send the picture itself, with Content-Type {' or '.join(CONTENT_TYPES)}."
            raise ApiProblem("unsupported_media_type", message)
        return next(iter(parsers))


class RemovalQuery(Form):
    """How to cut, and for a service's key, who pays."""

    tolerance = serializers.IntegerField(min_value=0, max_value=100, default=12)
    organization = serializers.CharField(max_length=20, required=False)


class BackgroundRemovalView(base.ApiView):
    content_negotiation_class = PictureNegotiation

    def get_parsers(self) -> list[BaseParser]:
        return [PictureParser()]

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        """Take a PNG or JPEG, answer it as a PNG without its background, for one use of ACTION."""
        query = base.checked(RemovalQuery, request.query_params)
        body: Any = request.data
        picture, tolerance = body.get("picture", b""), query["tolerance"]
        held = _hold(request, query.get("organization"), picture, tolerance)
        png = _cut_out(Spend.objects.get(pk=held.id), picture, tolerance)
        response = HttpResponse(png, content_type="image/png")
        if held.replayed:
            response["Idempotent-Replayed"] = "true"
        return response


def _hold(
    request: Request, organization_id: str | None, picture: bytes, tolerance: int
) -> ledger.SpendResult:
    """Set the price aside. A repeat finds the first hold; another picture needs another key."""
    access = base.access_of(request)
    organization = base.find_organization(access, organization_id)
    base.check_action(access, ACTION)
    return ledger.hold(
        organization,
        ACTION,
        reference=f"sha256:{sha256(picture).hexdigest()} tolerance:{tolerance}",
        idempotency_key=base.idempotency_key(request),
        expires_in_seconds=HOLD_SECONDS,
        api_key=access.key,
        now=timezone.now(),
    )


def _cut_out(hold: Spend, picture: bytes, tolerance: int) -> bytes:
    """Do the work, then take what was set aside; of a repeat it has been taken already."""
    try:
        png = cutout.cut_out(picture, tolerance_percent=tolerance)
    except (cutout.BadPicture, cutout.PictureTooLarge) as error:
        ledger.release(hold, now=timezone.now())
        is_large = isinstance(error, cutout.PictureTooLarge)
        raise ApiProblem(
            "payload_too_large" if is_large else "invalid_request", str(error)
        ) from error
    try:
        ledger.capture(hold, now=timezone.now())
    except ledger.HoldClosed as error:
        message = "The credits set aside for this key went back unused. Send it with a new key."
        raise ApiProblem("conflict", message) from error
    return png

"""The address Stripe sends its events to."""

import logging

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from topups import events, gateway

logger = logging.getLogger(__name__)

# A Checkout Session's event is a few kilobytes.
MAX_BODY_BYTES = 1_000_000


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Verify, record, process; 200 exactly when the event is done, so that Stripe tries again.

    400 for a delivery that is not to be believed, 413 for one too large, 500 for an event whose
    handling failed.
    """
    now = timezone.now()
    # Asked first, for Django itself refuses to read much larger ones.
    if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
        return _answer(413, f"An event has at most {MAX_BODY_BYTES:,} bytes.")
    try:
        event = gateway.verify_webhook(request.body, request.headers.get("Stripe-Signature"))
    except gateway.InvalidWebhook as error:
        logger.warning("Stripe webhook rejected: %s", error)
        events.record_rejected(str(error), now=now)
        return _answer(400, str(error))
    if events.process(events.record(event, now=now), now=now):
        return _answer(200, "Done.")
    return _answer(500, "The event is recorded, but handling it failed. It will be tried again.")


def _answer(status: int, text: str) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain")

"""The entry of the web server: spends by themselves, everything else by Django in threads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_wsgi_application()

from django.conf import settings  # noqa: E402 - the settings are there only now

from config.wsgi_threads import Receive, Scope, Send, WsgiThreads  # noqa: E402
from credits.api.denials import Denials  # noqa: E402 - as its models are
from credits.api.fast_batches import FastBatches  # noqa: E402
from credits.api.fast_path import FastPath  # noqa: E402
from credits.api.fast_spends import FastSpends  # noqa: E402

_denials = Denials()
_fast_path = FastPath(
    [FastSpends(_denials), FastBatches(_denials)],
    otherwise=WsgiThreads(_django, settings.WEB_THREADS),
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "http":
            await _fast_path(scope, receive, send)
        case "lifespan":
            await _live(receive, send)
        case "websocket":
            await send({"type": "websocket.close"})


async def _live(receive: Receive, send: Send) -> None:
    """Start and stop with the server's process, which asks when the last answer is out."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _fast_path.close()
    await send({"type": "lifespan.shutdown.complete"})

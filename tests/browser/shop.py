"""A web shop with an extension that spends through credits.js, on an origin of its own."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from django.conf import settings

from credits.access import create_key
from credits.models import Organization

MODULE = "/static/credits-js/1.0.0/credits.js"
ACTION = "alt-text.generate"
STRICT_POLICY = (
    "default-src 'none'; script-src {site}; connect-src {site}; require-trusted-types-for 'script'"
)

PAGE = """<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width"><title>Fern shop</title>
<style>:root {{ color-scheme: light dark; font-family: sans-serif }}</style>
<main><h1>Image editor</h1><p><button id="work">Describe the image</button></p>
<credits-notice></credits-notice><p><button id="by-hand">Write it by hand</button></p></main>
<script type="module">
  import * as module from "{site}{module}";
  const askForToken = async () => (await fetch("{shop}/token")).json();
  const credits = new module.Credits({{ token: askForToken }});
  Object.assign(window, module, {{ askForToken, credits }});
</script>"""
BARE = """<!doctype html><html lang="en"><title>Strict shop</title>
<main><h1>Image editor</h1><credits-notice></credits-notice></main>
<script type="module" src="{site}{module}"></script>"""
FRAME = """<!doctype html><html lang="en"><title>Host</title><main><h1>Host</h1>
<iframe title="Image editor" src="/" sandbox="{sandbox}" width="600" height="500"></iframe>
</main>"""
GUIDE = settings.BASE_DIR / "docs" / "javascript.md"


class Shop:
    """The shop's server: its pages, and `/token`, where it asks Credits for a token with its key.

    Its organization has three free credits a week.

    `token_requests` counts what its pages asked for. `broken_tokens` is how many of the next ones
    do not work, and `token_changes` what is asked of Credits otherwise than usual.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.token_requests = self.broken_tokens = 0
        self.token_changes: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.organization = Organization.objects.create(name="Fern & Field", weekly_credits=3)
        _, self.secret = create_key(
            name="Shop", organization=self.organization, allowed_origins=[self.url, "null"]
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self) -> dict[str, Any]:
        """What `/token` answers: Credits' answer as it is."""
        self.token_requests += 1
        if self.broken_tokens:
            self.broken_tokens -= 1
            return {"token": "ct_broken"}
        order = {"actions": [ACTION], "origins": [self.url, "null"], "spend_limit": 50}
        request = urllib.request.Request(
            f"{self.site}/api/v1/tokens",
            json.dumps({**order, **self.token_changes}).encode(),
            {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            token: dict[str, Any] = json.load(answer)
        return token

    def page(self, path: str) -> tuple[str, dict[str, str]]:
        """The HTML and headers at an address of the shop."""
        places = {"site": self.site, "shop": self.url, "module": MODULE}
        if path == "/strict":
            policy = STRICT_POLICY.format(**places)
            return BARE.format(**places), {"Content-Security-Policy": policy}
        if path == "/guide":
            return self._example(), {}
        if path.startswith("/frame/"):
            return FRAME.format(sandbox=path.removeprefix("/frame/").replace("+", " ")), {}
        return PAGE.format(**places), {}

    def _example(self) -> str:
        """The page that the guide shows, as it says it."""
        example = GUIDE.read_text().split("```html\n")[1].split("```")[0]
        return example.replace("https://credits.example.com", self.site)


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/token":
                self._answer(json.dumps(shop.token()), {"Access-Control-Allow-Origin": "*"})
            else:
                self._answer(*shop.page(self.path))

        def _answer(self, text: str, headers: dict[str, str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler

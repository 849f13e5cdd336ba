"""`make run`: the whole product on this machine, until Ctrl-C.

Starts PostgreSQL and Valkey where none are given, migrates, makes demo data once, then runs the
web server, a Celery worker and Celery Beat as real processes, and stops them in reverse order.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

from config import embedded
from config.environment import BASE_DIR, VAR_DIR
from config.processes import Problem, Processes, StopAsked, claim

LOGS = VAR_DIR / "log"
READY_SECONDS = 120


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    stop = threading.Event()
    # Only note the wish: so a signal never cuts the starting or stopping of a process in two.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with claim(VAR_DIR, "make run", stop_asked=stop.is_set) as processes:
            with contextlib.suppress(StopAsked):
                _run(processes)
            print("\nStopping.", flush=True)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _run(processes: Processes) -> None:
    port = _port()
    _say("Starting the database and the message broker")
    with embedded.serving(processes):
        _say("Preparing the database")
        _manage(processes, "migrate", "--no-input")
        _manage(processes, "seed_demo")
        _say("Starting the web server, the worker and the scheduler")
        _start_program(processes)
        processes.wait_until(
            lambda: _is_ready(port), "The web server", timeout_seconds=READY_SECONDS
        )
        print(_welcome(json.loads((VAR_DIR / "demo.json").read_text())), flush=True)
        while True:
            processes.pause()


def _port() -> int:
    """The port to serve at, seen to be free."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        port: int = settings.PORT
    except ImproperlyConfigured as wrong:
        raise Problem(str(wrong)) from None
    if settings.PRODUCTION:
        raise Problem("make run is for trying things out; docs/operations.md tells how to deploy.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Problem(
                f"Port {port} can't be used ({error.strerror}). "
                f"Choose another one: PORT={port + 1} make run"
            ) from None
    return port


def _manage(processes: Processes, *command: str) -> None:
    processes.run(
        f"manage.py {command[0]}",
        [sys.executable, "manage.py", *command],
        log=LOGS / "manage.log",
        cwd=BASE_DIR,
    )


def _start_program(processes: Processes) -> None:
    celery = ("celery", "--quiet", "-A", "config")
    for name, log, module in (
        ("The web server", "web.log", ("gunicorn", "-c", "config/gunicorn.py")),
        ("The worker", "worker.log", (*celery, "worker", "--concurrency=2")),
        ("The scheduler", "beat.log", (*celery, "beat", "--pidfile=")),
    ):
        command = [sys.executable, "-m", *module]
        processes.start(name, command, log=LOGS / log, stop_seconds=15, cwd=BASE_DIR)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health/ready/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _say(step: str) -> None:
    print(f"{step} ...", flush=True)


def _welcome(demo: dict[str, Any]) -> str:
    from django.conf import settings

    base, staff, customer = demo["base_url"], demo["staff"], demo["customer"]
    pretended = (
        "Payments are pretended, as no Stripe key is set. "
        f"Staff play the bank, refunds and disputes at {base}/sandbox/."
    )
    playground = f"\n  Playground     {base}/playground/  sign in as the customer, and begin here"
    return f"""
Credits is running. Ctrl-C stops it, and the data stays.
{playground * settings.PLAYGROUND}
  Top up         {base}/top-up/      {customer["email"]}  {customer["password"]}
  Admin          {base}/admin/       {staff["email"]}  {staff["password"]}
  Guides         {base}/docs/
  API key        {demo["api_key"]}
  Service key    {demo["service_api_key"]}
  Organization   {demo["organization"]}

Spend a credit:

  curl -X POST {base}/api/v1/spends -H "Authorization: Bearer {demo["api_key"]}" \
-H "Content-Type: application/json" -H "Idempotency-Key: try-$(date +%s)" \
-d '{{"action": "alt-text.generate"}}'

{pretended if settings.STRIPE_SANDBOX else ""}
All of this is in {VAR_DIR / "demo.json"}, and what the processes say is in {LOGS}.
"""


if __name__ == "__main__":
    sys.exit(main())

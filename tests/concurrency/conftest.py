import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

START_SECONDS = 30


def program(*arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start a Python program of ours as a real process on the test's database."""
    database = {key: quote(str(value)) for key, value in connection.settings_dict.items() if value}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
            "REDIS_URL": settings.REDIS_URL,
            "SECRET_KEY": settings.SECRET_KEY,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **environment,
        },
    )


@pytest.fixture
def web_server(committed_db: None) -> Iterator[str]:
    """The web server as it runs in production, two processes on the test's database; its URL."""
    with serving("-m", "gunicorn", "-c", "config/gunicorn.py") as url:
        yield url


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[str]:
    """Run a program of ours that serves on `PORT`; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with program(*arguments, PORT=str(port), **environment) as process:
        try:
            _wait_for(f"{url}/health/", process)
            yield url
        finally:
            process.terminate()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail("The web server did not start.")

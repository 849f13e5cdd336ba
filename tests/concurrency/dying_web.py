"""The web server as it runs in production, but its workers die at one moment.

`python -m tests.concurrency.dying_web topups.events.process before` kills a worker as soon as it
comes to that function; with `after` when the function has done its work.
"""

import importlib
import os
import signal
import sys
from typing import Any

from gunicorn.app.wsgiapp import run

import config.asgi  # noqa: F401 - what is patched below must be loaded


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def let_die(place: str, moment: str) -> None:
    module_name, _, name = place.rpartition(".")
    module = importlib.import_module(module_name)
    original = getattr(module, name)

    def then_die(*arguments: Any, **named: Any) -> None:
        original(*arguments, **named)
        die()

    setattr(module, name, die if moment == "before" else then_die)


if __name__ == "__main__":
    let_die(*sys.argv[1:])
    sys.argv = ["gunicorn", "-c", "config/gunicorn.py"]
    run()

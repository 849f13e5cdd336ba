"""How gunicorn serves: `gunicorn -c config/gunicorn.py`."""

import gc
import os

from django.conf import settings
from gunicorn import glogging  # type: ignore[import-untyped]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Logger(glogging.Logger):  # type: ignore[misc]
    """Makes no lines of requests, which would be thrown away: config.observability writes them."""

    access_log_enabled = False


wsgi_app = "config.asgi:application"
bind = f"{settings.LISTEN_HOST}:{settings.PORT}"
workers = settings.WEB_WORKERS
worker_class = "asgi"
asgi_loop = "uvloop"
preload_app = True  # loaded once, then forked; connections are opened after that, on first use
timeout = 60
graceful_timeout = 10
keepalive = 5
control_socket_disable = True  # signals do; two servers of one user would share the socket
logconfig_dict = settings.LOGGING
logger_class = Logger


def when_ready(server: object) -> None:
    """Leave what is loaded out of the searches for garbage, which took each process 0.1 s a time.

    https://docs.python.org/3.11/library/gc.html#gc.freeze
    """
    gc.freeze()

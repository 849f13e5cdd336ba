"""What is logged, and how it is written."""

from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS


def configuration(*, as_json: bool) -> dict[str, Any]:
    """Django's `LOGGING`: one line for each record, as JSON or for people at a terminal."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": "config.observability.RequestFilter"}},
        "formatters": {
            "short": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": "%(levelname)s %(name)s %(message)s %(request_id)s",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": True,
                # Django adds the request itself, whose text holds the path and the query.
                "reserved_attrs": [*RESERVED_ATTRS, "request"],
            },
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "filters": ["request"],
                "formatter": "json" if as_json else "short",
            },
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            "django": {"handlers": [], "level": "INFO"},
            # One line for each request is enough: config.observability writes it, with its route.
            "django.request": {"level": "ERROR"},
            # Its addresses hold the ids of payments.
            "stripe": {"level": "WARNING"},
            "gunicorn.access": {"handlers": [], "propagate": False},
            "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        },
    }

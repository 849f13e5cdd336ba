"""Which pages of other origins may read what the API answers."""

from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.utils import timezone

from credits import access

API = "/api/v1/"


def allows_page(sender: object, request: HttpRequest, **kwargs: Any) -> bool:
    """django-cors-headers' question: whether the page's origin is one that a working key allows."""
    if not request.path_info.startswith(API):
        return False
    try:
        return access.allows_origin(request.headers.get("Origin", ""), now=timezone.now())
    except (OperationalError, InterfaceError):
        # Without the database there are only errors to read, and scripts should know which.
        return True

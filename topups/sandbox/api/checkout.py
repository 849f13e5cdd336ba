"""Customers and Checkout Sessions over HTTP."""

from typing import Any

from django.utils import timezone

from topups.sandbox import customers, params, resources, sessions
from topups.sandbox.expansion import expanded
from topups.sandbox.listing import listed, wanted
from topups.sandbox.models import Session

Json = dict[str, Any]
SESSIONS_URL = "/v1/checkout/sessions"


def create_customer(given: Json) -> Json:
    checked = params.check(params.WriteCustomer, given)
    made = customers.create(checked, now=timezone.now())
    return expanded(resources.customer(made), checked["expand"])


def retrieve_customer(given: Json, customer_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    return expanded(resources.customer(customers.find(customer_id)), checked["expand"])


def update_customer(given: Json, customer_id: str) -> Json:
    checked = params.check(params.WriteCustomer, given)
    changed = customers.update(customer_id, checked)
    return expanded(resources.customer(changed), checked["expand"])


def create_session(given: Json) -> Json:
    checked = params.check(params.CreateSession, given)
    made = sessions.create(checked, now=timezone.now())
    return expanded(resources.session(made), checked["expand"])


def retrieve_session(given: Json, session_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    found = sessions.find(session_id, now=timezone.now())
    return expanded(resources.session(found), checked["expand"])


def list_sessions(given: Json) -> Json:
    checked = params.check(params.ListSessions, given)
    sessions.expire_due(now=timezone.now())
    columns = {"payment_intent": "payment", "customer": "customer", "status": "status"}
    rows = Session.objects.filter(**wanted(checked, columns))
    found = listed(rows, checked, SESSIONS_URL, resources.session)
    return expanded(found, checked["expand"])


def expire_session(given: Json, session_id: str) -> Json:
    checked = params.check(params.Expandable, given)
    ended = sessions.expire(session_id, now=timezone.now())
    return expanded(resources.session(ended), checked["expand"])

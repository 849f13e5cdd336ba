"""What changed in an organization, in words; and the links of invitations."""

from datetime import datetime

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from credits import people
from credits.activity import Kind
from credits.models import Activity, Membership
from credits.templatetags.moments import moment

register = template.Library()


@register.filter
def told(activity: Activity) -> SafeString:
    """The sentence that tells of a change, as customers see it: staff are not named."""
    facts = {name: _fact(name, value) for name, value in activity.facts.items()}
    sentence = escape(Kind(activity.kind).label) % {"actor": _actor(activity), **facts}
    return mark_safe(sentence)  # noqa: S308 each part is escaped


def _actor(activity: Activity) -> SafeString:
    if activity.member_email:
        return escape(activity.member_email)
    return escape(_("Credits staff") if activity.actor_id else _("Credits"))


def _fact(name: str, value: str | int) -> SafeString:
    if name == "role":
        return escape(Membership.Role(str(value)).label)
    if name.endswith("_at"):
        return moment(datetime.fromisoformat(str(value)))
    return conditional_escape(f"{value:,}" if isinstance(value, int) else value)


@register.simple_tag
def invitation_url(invitation_id: int) -> str:
    """The link that opens an invitation; it goes into its email and nowhere else."""
    page = reverse("invitation", args=[people.token(invitation_id)])
    return f"{settings.BASE_URL}{page}"

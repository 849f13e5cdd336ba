"""What the tests of people share: members, browsers signed in as them, and emailed links."""

import re

from django.core import mail
from django.test import Client

from credits import tasks
from credits.models import Membership, Organization, User

PASSWORD = "a-calm-harbor-7"


def join(organization: Organization, email: str, role: str = "owner") -> User:
    """Somebody who belongs to the organization, and signs in with PASSWORD."""
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, PASSWORD)
    Membership.objects.create(organization=organization, user=user, role=role)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def roles(organization: Organization) -> dict[str, str]:
    """The role of each member, by the part of their address before the at."""
    pairs = organization.memberships.values_list("user__email", "role")
    return {email.split("@")[0]: role for email, role in pairs}


def told(client: Client, organization: Organization) -> list[str]:
    """The sentences of the activity list, the newest first."""
    page = client.get("/activity/", {"organization": organization.public_id}).text
    sentences = re.findall(r"<li><span>(.*?)</span> <span", page, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", sentence) for sentence in sentences]


def emailed_link() -> str:
    """The path in the newest email, once those that wait are sent."""
    tasks.send_mail()
    link = re.search(r"http://testserver(/invitations/\S+)", mail.outbox[-1].body)
    assert link is not None
    return link[1]

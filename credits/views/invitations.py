"""What an invitation's link opens: the way into an organization, with an account or without."""

from allauth.account.forms import SetPasswordForm
from allauth.account.utils import complete_signup
from allauth.decorators import rate_limit
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from credits import people
from credits.models import Invitation, User
from credits.views.people import members_url


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(action="signup")  # type: ignore[untyped-decorator]
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Let the invited person in.

    The link came to the invited address alone, so it proves that the address is theirs.
    """
    invitation = people.find_invitation(token)
    if invitation is None:
        raise Http404
    try:
        return _welcome(request, invitation)
    except people.NotOpen:
        return _closed(request, invitation)
    except people.HasAccount:
        # Made a moment ago in another window.
        return redirect(request.path)


def _welcome(request: HttpRequest, invitation: Invitation) -> HttpResponseBase:
    now = timezone.now()
    if not invitation.is_open or invitation.is_expired(now):
        return _closed(request, invitation)
    if not request.user.is_authenticated:
        return _visitor(request, invitation)
    if request.user.email.lower() != invitation.email:
        return _page(request, invitation, "somebody_else", status=403)
    if request.method != "POST":
        return _page(request, invitation, "accept")
    people.accept(invitation, request.user, now=now)
    return _arrived(request, invitation)


def _closed(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    return _page(request, invitation, "closed", status=410)


def _visitor(request: HttpRequest, invitation: Invitation) -> HttpResponseBase:
    """Somebody signed out: they sign in first, or choose a password and are a member."""
    if User.objects.filter(email=invitation.email).exists():
        return _page(request, invitation, "sign_in")
    form = SetPasswordForm(
        data=request.POST if request.method == "POST" else None, user=User(email=invitation.email)
    )
    if not form.is_valid():
        return _page(request, invitation, "register", form=form)
    user = people.register(invitation, form.cleaned_data["password1"], now=timezone.now())
    _greet(request, invitation)
    page: HttpResponseBase = complete_signup(
        request, user, None, members_url(invitation.organization)
    )
    return page


def _arrived(request: HttpRequest, invitation: Invitation) -> HttpResponseBase:
    _greet(request, invitation)
    return redirect(members_url(invitation.organization))


def _greet(request: HttpRequest, invitation: Invitation) -> None:
    text = _("Welcome! You now belong to %(organization)s.")
    messages.success(request, text % {"organization": invitation.organization.name})


def _page(
    request: HttpRequest, invitation: Invitation, name: str, status: int = 200, **context: object
) -> HttpResponse:
    template = f"credits/invitation/{name}.html"
    return render(request, template, {"invitation": invitation, **context}, status=status)

"""Every address of the program."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health
from credits import accounts

handler400 = "credits.api.problems.bad_request"
handler404 = "credits.api.problems.page_not_found"
handler500 = "credits.api.problems.server_error"

urlpatterns = [
    path("", include("credits.urls")),
    path("", include("topups.urls")),
    path("accounts/", RedirectView.as_view(pattern_name="home")),
    path("accounts/email/", accounts.no_change_of_address),
    path("accounts/", include("allauth.urls")),
    path("admin/login/", accounts.admin_door),
    path("admin/", admin.site.urls),
    path("api/", include("credits.api.urls")),
    path("health/", health.live, name="health"),
    path("health/ready/", health.ready, name="health-ready"),
]
if settings.STRIPE_SANDBOX:
    urlpatterns.append(path("sandbox/", include("topups.sandbox.urls")))
if settings.PLAYGROUND:
    urlpatterns.append(path("playground/", include("credits.playground.urls")))

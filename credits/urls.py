from django.urls import path
from django.views.generic import RedirectView

from credits.views import keys, problems

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="top-up"), name="home"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", keys.revoke_key, name="revoke-key"),
    path("problems/<slug:slug>/", problems.problem, name="problem"),
]

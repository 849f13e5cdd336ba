from django.urls import path
from django.views.generic import RedirectView

from credits.views import docs, keys, problems

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="top-up"), name="home"),
    path("docs/", docs.index, name="docs"),
    path("docs/python/credits_client.py", docs.python_client, name="python-client"),
    path("docs/<slug:slug>/", docs.guide, name="guide"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", keys.revoke_key, name="revoke-key"),
    path("problems/<slug:slug>/", problems.problem, name="problem"),
]

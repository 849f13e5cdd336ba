from django.urls import path
from django.views.generic import RedirectView

from credits.views import keys, notices, problems

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="top-up"), name="home"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", keys.revoke_key, name="revoke-key"),
    path("notices/", notices.notices, name="notices"),
    path("notices/<int:notice_id>/dismiss/", notices.dismiss, name="dismiss-notice"),
    path("notices/unsubscribe/<str:token>/", notices.unsubscribe, name="unsubscribe"),
    path("problems/<slug:slug>/", problems.problem, name="problem"),
]

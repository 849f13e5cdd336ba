from django.urls import path
from django.views.generic import RedirectView

from credits import views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="top-up"), name="home"),
    path("keys/", views.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", views.revoke_key, name="revoke-key"),
    path("problems/<slug:slug>/", views.problem, name="problem"),
]

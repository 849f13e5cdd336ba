from django.urls import path

from topups.sandbox import api, views

urlpatterns = [
    path("v1/checkout/sessions", api.create_session),
    path("v1/checkout/sessions/<slug:session_id>", api.retrieve_session),
    path("v1/checkout/sessions/<slug:session_id>/expire", api.expire_session),
    path("pay/<slug:session_id>/", views.pay, name="sandbox-pay"),
]

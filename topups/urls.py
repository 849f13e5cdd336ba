from django.urls import path
from django.views.generic import RedirectView

from topups import views, webhooks

urlpatterns = [
    path("top-up/", views.top_up, name="top-up"),
    path("top-up/return/", views.top_up_return, name="top-up-return"),
    # Where checkouts from before they had a page of their own lead back to.
    path("top-up/canceled/", RedirectView.as_view(pattern_name="top-up")),
    path("top-up/canceled/<uuid:purchase_id>/", views.top_up_canceled, name="top-up-canceled"),
    path("purchases/", views.purchases, name="purchases"),
    path("purchases/<uuid:purchase_id>/resume/", views.resume, name="purchase-resume"),
    path("purchases/<uuid:purchase_id>/state/", views.state, name="purchase-state"),
    path(
        "purchases/<uuid:purchase_id>/receipt/",
        views.document,
        {"kind": "receipt"},
        name="purchase-receipt",
    ),
    path(
        "purchases/<uuid:purchase_id>/invoice/",
        views.document,
        {"kind": "invoice"},
        name="purchase-invoice",
    ),
    path("stripe/webhook/", webhooks.stripe_webhook, name="stripe-webhook"),
]

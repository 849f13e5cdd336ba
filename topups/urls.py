from django.urls import path

from topups import views, webhooks

urlpatterns = [
    path("top-up/", views.top_up, name="top-up"),
    path("top-up/return/", views.top_up_return, name="top-up-return"),
    path("top-up/canceled/", views.top_up_canceled, name="top-up-canceled"),
    path("purchases/", views.purchases, name="purchases"),
    path("stripe/webhook/", webhooks.stripe_webhook, name="stripe-webhook"),
]

from django.urls import path

from credits.playground import api, views

urlpatterns = [
    path("", views.playground, name="playground"),
    path("token", views.token, name="playground-token"),
    path(
        "api/background-removal",
        api.BackgroundRemovalView.as_view(),
        name="playground-background-removal",
    ),
]

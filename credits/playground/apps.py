from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    """The sample extensions; part of the program where the setting PLAYGROUND is on."""

    name = "credits.playground"
    label = "playground"

from importlib import import_module

from corsheaders.signals import check_request_enabled
from django.apps import AppConfig


class CreditsConfig(AppConfig):
    name = "credits"
    verbose_name = "Credits"

    def ready(self) -> None:
        from credits.api.cors import allows_page

        check_request_enabled.connect(allows_page)
        import_module("credits.signing_in")

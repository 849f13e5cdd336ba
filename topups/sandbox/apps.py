from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class SandboxConfig(AppConfig):
    """The stand-in for Stripe. Next to a real key it would let people buy with no money."""

    name = "topups.sandbox"
    label = "sandbox"
    verbose_name = "Stripe sandbox"

    def ready(self) -> None:
        if not settings.STRIPE_SANDBOX:
            raise ImproperlyConfigured(
                "STRIPE_SECRET_KEY is set, so the Stripe sandbox must not be loaded. Remove "
                "topups.sandbox from INSTALLED_APPS, or unset the key to use the sandbox."
            )

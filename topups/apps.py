from django.apps import AppConfig


class TopupsConfig(AppConfig):
    name = "topups"
    verbose_name = "Top-ups"

    def ready(self) -> None:
        from credits.ledger import audit
        from topups import fulfillment

        audit.CHECKS["purchases"] = fulfillment.CHECK

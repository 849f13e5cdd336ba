from django.apps import AppConfig


class TopupsConfig(AppConfig):
    name = "topups"
    verbose_name = "Top-ups"

    def ready(self) -> None:
        from credits.ledger import audit
        from topups import closing, fulfillment, money_back, month_totals

        audit.CHECKS["purchases"] = fulfillment.CHECK
        audit.CHECKS["money back"] = money_back.CHECK
        audit.CHECKS["deferred"] = month_totals.CHECK
        audit.CHECKS["closed months"] = closing.CHECK

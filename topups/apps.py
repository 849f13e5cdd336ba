from django.apps import AppConfig


class TopupsConfig(AppConfig):
    name = "topups"
    verbose_name = "Top-ups"
    default_auto_field = "django.db.models.BigAutoField"

"""The admin: one file per screenful."""

from django.contrib import admin

from credits.admin import (
    access,
    catalog,
    figures,
    jobs,
    ledger,
    mail,
    notices,
    organizations,
    people,
    schedule,
    users,
)

__all__ = [
    "access",
    "catalog",
    "figures",
    "jobs",
    "ledger",
    "mail",
    "notices",
    "organizations",
    "people",
    "schedule",
    "users",
]

# Rows go one by one, where the page can say what hangs on them.
admin.site.disable_action("delete_selected")

"""The admin: one file per screenful."""

from django.contrib import admin

from credits.admin import (
    access,
    adjustments,
    bulk,
    catalog,
    figures,
    jobs,
    ledger,
    mail,
    notices,
    organizations,
    people,
    schedule,
    sign_ins,
    staff_keys,
    users,
)

__all__ = [
    "access",
    "adjustments",
    "bulk",
    "catalog",
    "figures",
    "jobs",
    "ledger",
    "mail",
    "notices",
    "organizations",
    "people",
    "schedule",
    "sign_ins",
    "staff_keys",
    "users",
]

# Rows go one by one, where the page can say what hangs on them.
admin.site.disable_action("delete_selected")

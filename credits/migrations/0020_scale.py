from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import migrations
from django.db.models import Index, Q

from credits.indexes import build
from credits.models.words import Words


def by_time(rows: str, field: str, ordinary: str) -> tuple[Index, Index]:
    """Of the ledger's large tables: nothing here is written for an ordinary spend but the BRIN."""
    return (
        BrinIndex(
            fields=["created_at"], autosummarize=True, pages_per_range=32, name=f"{rows}_by_day"
        ),
        Index(
            fields=[field, "-created_at", "-id"],
            condition=Q((field, ordinary), _negated=True),
            name=f"{rows}_by_{field}",
        ),
    )


class Migration(migrations.Migration):
    """So that staff find rows among millions: by words, by time and by what is rare."""

    atomic = False

    dependencies = [
        ("credits", "0019_access"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="entry",
            options={
                "ordering": ("-organization_id", "-seq"),
                "verbose_name_plural": "entries",
            },
        ),
        *build("entry", *by_time("entries", "kind", "spend")),
        *build("spend", *by_time("spends", "status", "spent")),
        *build("grant", *by_time("grants", "kind", "weekly")),
        *build(
            "refund",
            Index(fields=["organization", "-created_at"], name="refunds_by_organization"),
            Index(fields=["-created_at", "-id"], name="refunds_by_time"),
        ),
        *build(
            "organization",
            GinIndex(Words("name"), fastupdate=False, name="organizations_by_words"),
            Index(fields=["name", "id"], name="organizations_by_name"),
            Index(
                fields=["name", "id"],
                condition=Q(suspended_at__isnull=False),
                name="suspended_organizations",
            ),
            Index(
                fields=["name", "id"], condition=Q(show_balance=True), name="organizations_that_see"
            ),
        ),
        *build(
            "user",
            GinIndex(
                Words("email", "first_name", "last_name"), fastupdate=False, name="users_by_words"
            ),
            Index(fields=["email"], condition=Q(is_staff=True), name="staff_users"),
            Index(fields=["email"], condition=Q(is_superuser=True), name="superusers"),
            Index(fields=["email"], condition=Q(is_active=False), name="inactive_users"),
        ),
        *build(
            "apikey",
            Index(fields=["prefix"], opclasses=("varchar_pattern_ops",), name="keys_by_prefix"),
        ),
        *build(
            "invitation",
            Index(fields=["-created_at", "-id"], name="invitations_by_time"),
            Index(fields=["-sent_at", "-id"], name="invitations_by_sending"),
            Index(fields=["email"], name="invitations_by_address"),
        ),
        *build(
            "notice",
            Index(fields=["-occurred_at", "-id"], name="notices_by_time"),
            Index(fields=["kind", "-id"], name="notices_by_kind"),
        ),
        *build(
            "email",
            Index(fields=["to", "-created_at"], name="emails_by_address"),
            Index(fields=["template", "-created_at"], name="emails_by_template"),
        ),
        # Django's own table, which has no index for the history of one object.
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS admin_log_by_object",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY admin_log_by_object "
            "ON django_admin_log (content_type_id, object_id, action_time)",
            "DROP INDEX CONCURRENTLY admin_log_by_object",
        ),
    ]

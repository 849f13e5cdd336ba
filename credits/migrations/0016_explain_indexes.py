import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

ADDED = ("entries_by_grant", "money_back_entries", "expired_holds")


def drop(index: str) -> migrations.RunSQL:
    """Drops what an interrupted build left behind, which is invalid."""
    return migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index}", migrations.RunSQL.noop)


class Migration(migrations.Migration):
    """So that what a grant held at a moment is one probe, however long its history.

    The indexes are built while spends go on, and the one that is no longer needed goes when the one
    that stands for it is there. An interrupted build leaves an invalid one behind, which the next
    try drops.
    """

    atomic = False

    dependencies = [("credits", "0016_explain")]

    operations = [
        *map(drop, ADDED),
        AddIndexConcurrently(
            model_name="entry",
            index=models.Index(fields=["grant", "-created_at", "-seq"], name="entries_by_grant"),
        ),
        AddIndexConcurrently(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("kind__in", ("revoke", "restore", "freeze", "thaw"))),
                fields=["grant"],
                name="money_back_entries",
            ),
        ),
        AddIndexConcurrently(
            model_name="spend",
            index=models.Index(
                condition=models.Q(("status", "expired")),
                fields=["organization", "hold_expires_at"],
                name="expired_holds",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="entry",
                    name="grant",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="credits.grant",
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS credits_entry_grant_id_b7733c74",
                    "CREATE INDEX CONCURRENTLY credits_entry_grant_id_b7733c74 "
                    "ON credits_entry (grant_id)",
                ),
            ],
        ),
    ]

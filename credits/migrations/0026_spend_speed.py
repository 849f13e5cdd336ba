import time

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import OperationalError, migrations, models, transaction

from credits.ledger import sql

# In the order in which a spend comes to them, so that the spends under way end first.
LOCK = """
SET LOCAL lock_timeout = '2s';
LOCK TABLE credits_wallet, credits_organization, credits_apikey, credits_action, credits_grant,
    credits_spend, credits_entry IN ACCESS EXCLUSIVE MODE;
"""

# Room in each page for the next versions of its rows: updates then stay off the indexes (HOT).
ROOM = """
ALTER TABLE credits_wallet SET (fillfactor = 70);
ALTER TABLE credits_grant SET (fillfactor = 80);
"""
TRIES = 10


def lock(apps, schema_editor):
    """Where others read for long, let go and come again: meanwhile nobody can spend."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic(using=schema_editor.connection.alias):
                schema_editor.execute(LOCK, params=None)
            return
        except OperationalError:
            if attempt == TRIES - 1:
                raise
            time.sleep(1)


class Migration(migrations.Migration):
    """So that a spend asks less and those that arrive together are made together."""

    dependencies = [("credits", "0025_adjustment_lists")]

    operations = [
        migrations.RunPython(lock, migrations.RunPython.noop),
        pgtrigger.migrations.RemoveTrigger(
            model_name="grant",
            name="only_remaining_changes",
        ),
        migrations.AlterField(
            model_name="entry",
            name="grant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="credits.grant",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="credits.organization",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="spend",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="credits.spend",
            ),
        ),
        migrations.AlterField(
            model_name="spend",
            name="action",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="spends",
                to="credits.action",
            ),
        ),
        migrations.AlterField(
            model_name="spend",
            name="api_key",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="spends",
                to="credits.apikey",
            ),
        ),
        migrations.AlterField(
            model_name="spend",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="spends",
                to="credits.organization",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="action",
            trigger=pgtrigger.compiler.Trigger(
                name="actions_are_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="c24898c63c9b1112d12c797386444e09bd0620e2",
                    operation="DELETE",
                    pgid="pgtrigger_actions_are_never_deleted_cf088",
                    table="credits_action",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="action",
            trigger=pgtrigger.compiler.Trigger(
                name="an_action_keeps_its_id",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="537c4aaa5762d2e099dc1d391d74e8c7ce3ef938",
                    operation="UPDATE",
                    pgid="pgtrigger_an_action_keeps_its_id_951ed",
                    table="credits_action",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="keys_are_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="bae489ce825a4ceb21869985358321d4e451339b",
                    operation="DELETE",
                    pgid="pgtrigger_keys_are_never_deleted_5960c",
                    table="credits_apikey",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="a_key_keeps_its_id",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="6683a569df66d24ec857153baf4c8d4ce69454c6",
                    operation="UPDATE",
                    pgid="pgtrigger_a_key_keeps_its_id_bd59d",
                    table="credits_apikey",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="grant",
            trigger=pgtrigger.compiler.Trigger(
                name="only_remaining_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."priority" IS DISTINCT FROM (NEW."priority") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."starts_at" IS DISTINCT FROM (NEW."starts_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."week" IS DISTINCT FROM (NEW."week") OR OLD."purchase_id" IS DISTINCT FROM (NEW."purchase_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))',
                    func='RAISE EXCEPTION \'pgtrigger: Cannot update of "id", "organization_id", "kind", "priority", "amount", "starts_at", "expires_at", "week", "purchase_id", "created_at" rows from % table\', TG_TABLE_NAME;',
                    hash="94e9159d0c0ac9986986b1643a67384745015c32",
                    operation='UPDATE OF "id", "organization_id", "kind", "priority", "amount", "starts_at", "expires_at", "week", "purchase_id", "created_at"',
                    pgid="pgtrigger_only_remaining_changes_2b5fd",
                    table="credits_grant",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="wallet",
            trigger=pgtrigger.compiler.Trigger(
                name="wallets_are_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="6e7040c29716cc895deb81072d730103bce7d29c",
                    operation="DELETE",
                    pgid="pgtrigger_wallets_are_never_deleted_06ba9",
                    table="credits_wallet",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="wallet",
            trigger=pgtrigger.compiler.Trigger(
                name="a_wallet_keeps_its_organization",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."organization_id" IS DISTINCT FROM (NEW."organization_id"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update of \"organization_id\" rows from % table', TG_TABLE_NAME;",
                    hash="bd4e6d14ea6de2bc673b019954c23fe19f632457",
                    operation='UPDATE OF "organization_id"',
                    pgid="pgtrigger_a_wallet_keeps_its_organization_6cc41",
                    table="credits_wallet",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        sql.install("posting.sql", "spending.sql", "batches.sql", "grouping.sql"),
    ]

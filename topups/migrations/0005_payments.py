import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import credits.models.ledger
import topups.models.plans


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0008_mail_schedule"),
        ("credits", "__first__"),
        ("topups", "0004_staff_permissions"),
    ]

    operations = [
        migrations.CreateModel(
            name="BillingAccount",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="billing_account",
                        serialize=False,
                        to="credits.organization",
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        default=topups.models.plans.default_currency,
                        help_text="Plans are offered to it in this currency: an ISO 4217 code in lower case.",
                        max_length=3,
                        validators=[topups.models.plans.validate_currency],
                    ),
                ),
                (
                    "stripe_customer_id",
                    models.CharField(
                        blank=True, editable=False, max_length=255, null=True, unique=True
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        editable=False,
                        help_text="Where Stripe sends its receipts: the last buyer.",
                        max_length=254,
                    ),
                ),
            ],
            options={
                "ordering": ("organization",),
            },
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "stripe_dispute_id",
                    models.CharField(max_length=255, primary_key=True, serialize=False),
                ),
                ("amount_minor", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("warning_needs_response", "Inquiry"),
                            ("warning_under_review", "Inquiry under review"),
                            ("warning_closed", "Inquiry closed"),
                            ("needs_response", "Needs response"),
                            ("under_review", "Under review"),
                            ("prevented", "Prevented"),
                            ("won", "Won"),
                            ("lost", "Lost"),
                            ("appeal_needs_response", "Appeal needs response"),
                            ("appeal_under_review", "Appeal under review"),
                        ],
                        max_length=30,
                    ),
                ),
                (
                    "is_withdrawn",
                    models.BooleanField(help_text="Whether the money has left our account."),
                ),
                ("reason", models.CharField(default="", max_length=100)),
                ("respond_by", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("as_of", models.DateTimeField(help_text="When Stripe said so.")),
            ],
            options={
                "ordering": ("-created_at", "stripe_dispute_id"),
            },
        ),
        migrations.CreateModel(
            name="PaymentRefund",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_default=credits.models.ledger.UuidV7(),
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "stripe_refund_id",
                    models.CharField(blank=True, max_length=255, null=True, unique=True),
                ),
                ("amount_minor", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("refused", "Refused"),
                            ("pending", "Pending"),
                            ("requires_action", "Requires Action"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                        ],
                        max_length=20,
                    ),
                ),
                ("reason", models.CharField(default="", max_length=300)),
                ("error", models.TextField(default="", help_text="Why Stripe has not done it.")),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("as_of", models.DateTimeField(help_text="When Stripe said so.", null=True)),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        help_text="When Stripe is asked again, while it is requested.", null=True
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at", "-id"),
            },
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        default=topups.models.plans.default_currency,
                        help_text="An ISO 4217 code in lower case, as Stripe has it.",
                        max_length=3,
                        validators=[topups.models.plans.validate_currency],
                    ),
                ),
                (
                    "amount_minor",
                    models.PositiveIntegerField(
                        help_text="In the currency's smallest unit: 1000 is $10.00, and ¥1,000.",
                        validators=[
                            django.core.validators.MinValueValidator(50),
                            django.core.validators.MaxValueValidator(99999999),
                        ],
                        verbose_name="price in minor units",
                    ),
                ),
            ],
            options={
                "ordering": ("currency",),
            },
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "since",
                    models.DateTimeField(
                        help_text="What Stripe has from this moment on was looked at."
                    ),
                ),
                ("started_at", models.DateTimeField()),
                (
                    "finished_at",
                    models.DateTimeField(help_text="Empty when it broke off.", null=True),
                ),
                ("seen", models.PositiveIntegerField(default=0, verbose_name="objects seen")),
                ("repaired", models.JSONField(default=list)),
                ("failures", models.JSONField(default=list)),
            ],
            options={
                "ordering": ("-started_at", "-id"),
            },
        ),
        migrations.AlterModelOptions(
            name="purchase",
            options={
                "ordering": ("-created_at", "-id"),
                "permissions": (("refund_purchase", "Can refund purchases"),),
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="purchase",
            name="a_purchase_is_paid_once",
        ),
        migrations.RemoveConstraint(
            model_name="plan",
            name="plan_amount_within_limits_of_stripe",
        ),
        migrations.RemoveConstraint(
            model_name="plan",
            name="plan_currency_is_three_lower_case_letters",
        ),
        migrations.RemoveConstraint(
            model_name="purchase",
            name="purchase_paid_exactly_when_it_has_a_time_and_session",
        ),
        migrations.RemoveConstraint(
            model_name="purchase",
            name="purchase_checked_exactly_while_pending",
        ),
        migrations.AddField(
            model_name="purchase",
            name="check_error",
            field=models.TextField(default="", help_text="What was wrong at the last check."),
        ),
        migrations.AddField(
            model_name="purchase",
            name="discount_minor",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="purchase",
            name="failed_checks",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="purchase",
            name="paid_minor",
            field=models.PositiveIntegerField(
                help_text="What the customer paid, after discount and with tax.", null=True
            ),
        ),
        migrations.AddField(
            model_name="purchase",
            name="tax_minor",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="purchase",
            name="amount_minor",
            field=models.PositiveIntegerField(
                help_text="The price in the currency's smallest unit, before discount and tax."
            ),
        ),
        migrations.AlterField(
            model_name="purchase",
            name="next_check_at",
            field=models.DateTimeField(
                help_text="When the sweep asks Stripe about it, while it is not decided.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="purchase",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("expired", "Expired"),
                    ("processing", "Processing"),
                    ("failed", "Failed"),
                    ("paid", "Paid"),
                ],
                default="pending",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="purchase",
            name="stripe_payment_intent_id",
            field=models.CharField(
                default="",
                help_text="Empty until paid, and when nothing was to be paid.",
                max_length=255,
            ),
        ),
        migrations.AddConstraint(
            model_name="billingaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[a-z]{3}$")),
                name="account_currency_is_three_lower_case_letters",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="purchase",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disputes",
                to="topups.purchase",
            ),
        ),
        migrations.AddField(
            model_name="paymentrefund",
            name="purchase",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunds",
                to="topups.purchase",
            ),
        ),
        migrations.AddField(
            model_name="paymentrefund",
            name="requested_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="prices", to="topups.plan"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dispute",
            trigger=pgtrigger.compiler.Trigger(
                name="disputes_are_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="7d4dbca96e3da4d020a3e4cfb3304955ea445921",
                    operation="DELETE",
                    pgid="pgtrigger_disputes_are_never_deleted_08dc8",
                    table="topups_dispute",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dispute",
            trigger=pgtrigger.compiler.Trigger(
                name="what_is_disputed_never_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."stripe_dispute_id" IS DISTINCT FROM (NEW."stripe_dispute_id") OR OLD."purchase_id" IS DISTINCT FROM (NEW."purchase_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="ab0386828a39bf556d449aaa44c848385a9bf40d",
                    operation="UPDATE",
                    pgid="pgtrigger_what_is_disputed_never_changes_92b77",
                    table="topups_dispute",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="paymentrefund",
            index=models.Index(
                condition=models.Q(("next_attempt_at__isnull", False)),
                fields=["next_attempt_at"],
                name="refunds_to_attempt",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gte", 1)), name="refund_gives_money_back"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("as_of__isnull", True),
                        ("status__in", ("requested", "refused")),
                        ("stripe_refund_id__isnull", True),
                    ),
                    models.Q(
                        models.Q(("status__in", ("requested", "refused")), _negated=True),
                        ("as_of__isnull", False),
                        ("stripe_refund_id__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="refund_known_to_stripe_exactly_when_done",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("next_attempt_at__isnull", False), ("status", "requested")),
                    models.Q(
                        models.Q(("status", "requested"), _negated=True),
                        ("next_attempt_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="refund_attempted_exactly_while_requested",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="paymentrefund",
            trigger=pgtrigger.compiler.Trigger(
                name="payment_refunds_are_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="e274ed0ef5601d618f3e098b75a9c5e5a3397b24",
                    operation="DELETE",
                    pgid="pgtrigger_payment_refunds_are_never_deleted_1e588",
                    table="topups_paymentrefund",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="paymentrefund",
            trigger=pgtrigger.compiler.Trigger(
                name="what_is_refunded_never_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."purchase_id" IS DISTINCT FROM (NEW."purchase_id") OR OLD."amount_minor" IS DISTINCT FROM (NEW."amount_minor") OR OLD."requested_by_id" IS DISTINCT FROM (NEW."requested_by_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="ce05fadaa60f827b866272c8712f4bc29e6d902f",
                    operation="UPDATE",
                    pgid="pgtrigger_what_is_refunded_never_changes_486b4",
                    table="topups_paymentrefund",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.UniqueConstraint(
                fields=("plan", "currency"), name="one_price_per_plan_and_currency"
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gte", 1), ("amount_minor__lte", 99999999)),
                name="price_within_limits_of_stripe",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[a-z]{3}$")),
                name="price_currency_is_three_lower_case_letters",
            ),
        ),
        migrations.AlterModelOptions(
            name="stripeevent",
            options={
                "ordering": ("-received_at", "-id"),
                "permissions": (("retry_stripeevent", "Can retry Stripe events"),),
                "verbose_name": "Stripe event",
            },
        ),
    ]

"""When the jobs that staff look after ran, and how each went."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q


class JobRun(models.Model):
    """One run of a job. It says nothing more once it is finished, and goes after some months.

    One that is `running` for long was killed: whatever it had done is committed, and the next run
    does the rest.
    """

    class Job(models.TextChoices):
        REFILL = "refill", "Refill"
        LEDGER_CHECK = "ledger_check", "Ledger check"

    class Outcome(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FINDINGS = "findings", "Rows are off"
        BROKE_OFF = "broke_off", "Broke off"

    job = models.CharField(max_length=20, choices=Job.choices)
    as_of = models.DateTimeField(help_text="The moment it ran for; a refill's names its week.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(
        max_length=10, choices=Outcome.choices, default=Outcome.RUNNING, db_default=Outcome.RUNNING
    )
    count = models.BigIntegerField(
        db_default=0, default=0, help_text="Organizations recharged, or rows that are off."
    )
    summary = models.TextField(
        db_default="", default="", help_text="The first rows that are off, or why it broke off."
    )

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(outcome="running", finished_at__isnull=True)
                | (~Q(outcome="running") & Q(finished_at__isnull=False)),
                name="job_runs_exactly_until_it_is_finished",
            ),
        )
        indexes = (models.Index(fields=("job", "-started_at"), name="job_runs_by_job_and_time"),)
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="a_finished_run_never_changes",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_job_display()} of {self.started_at:%Y-%m-%d %H:%M} UTC"

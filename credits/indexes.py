"""Indexes built while the program goes on, for migrations that are not atomic."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import RunSQL
from django.db.migrations.operations.base import Operation
from django.db.models import Index


def build(model_name: str, *indexes: Index) -> list[Operation]:
    """What builds the indexes of a model; an interrupted try's invalid ones are dropped first."""
    operations: list[Operation] = []
    for index in indexes:
        drop = f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"
        operations.append(RunSQL(drop, RunSQL.noop))
        operations.append(AddIndexConcurrently(model_name=model_name, index=index))
    return operations

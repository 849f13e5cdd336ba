"""Moments as people write them."""

from datetime import UTC, datetime


def parse_moment(text: str) -> datetime:
    """An ISO 8601 moment; UTC where it names no zone. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""What an organization could spend at many moments of the past, in one query."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from credits.models import Organization

# Each number is put together from single entries that an index finds: of every grant that was open
# meanwhile, the last until the moment and the first after it. However many entries there are, no
# more than those are read.
#
# Whatever touches a wallet first releases all holds past their time; only a refill does not, which
# does no more to a grant than let it lapse. So what such holds still held at a moment is what came
# home with the first other entry after it, less what clawbacks took of it on the way.
_BALANCES = """
    WITH owner AS (
        SELECT o.id, o.created_at, o.weekly_credits, w.bundle_week
        FROM credits_organization o JOIN credits_wallet w ON w.organization_id = o.id
        WHERE o.id = %(organization)s
    ),
    present AS MATERIALIZED (
        SELECT g.id, g.expires_at
        FROM credits_grant g
        WHERE g.organization_id = %(organization)s
            AND (g.expires_at IS NULL OR g.expires_at > %(first)s)
            AND (g.is_open OR %(first)s < (
                SELECT e.created_at FROM credits_entry e WHERE e.grant_id = g.id
                ORDER BY e.created_at DESC, e.seq DESC LIMIT 1
            ))
    )
    SELECT (
        SELECT coalesce(sum(last.remaining_after + coalesce(overdue.credits, 0)), 0)
        FROM present g
        CROSS JOIN LATERAL (
            SELECT e.remaining_after FROM credits_entry e
            WHERE e.grant_id = g.id AND e.created_at <= moment.at
            ORDER BY e.created_at DESC, e.seq DESC LIMIT 1
        ) last
        LEFT JOIN LATERAL (
            SELECT e.created_at FROM credits_entry e
            WHERE e.grant_id = g.id AND e.created_at > moment.at AND e.kind <> 'expire'
            ORDER BY e.created_at, e.seq LIMIT 1
        ) next ON true
        LEFT JOIN LATERAL (
            SELECT sum(e.credits) AS credits
            FROM credits_entry e JOIN credits_spend s ON s.id = e.spend_id
            WHERE e.grant_id = g.id AND e.created_at = next.created_at
                AND e.kind IN ('release', 'revoke', 'freeze') AND s.hold_expires_at <= moment.at
        ) overdue ON true
        WHERE g.expires_at IS NULL OR g.expires_at > moment.at
    ) + (
        SELECT coalesce(sum(greatest(held.credits - coalesce(c.outstanding_credits, 0), 0)), 0)
        FROM (
            SELECT e.grant_id, -sum(e.credits) AS credits
            FROM credits_spend s
            JOIN credits_entry e ON e.spend_id = s.id
            JOIN credits_grant g ON g.id = e.grant_id
            WHERE s.organization_id = owner.id AND s.status = 'held'
                AND s.hold_expires_at <= moment.at
                AND (g.expires_at IS NULL OR g.expires_at > moment.at)
            GROUP BY e.grant_id
        ) held
        LEFT JOIN credits_clawback c ON c.grant_id = held.grant_id
    ) + CASE
        WHEN moment.at < owner.created_at THEN 0
        WHEN bundle.id IS NOT NULL THEN CASE WHEN bundle.created_at > moment.at
            THEN bundle.amount ELSE 0 END
        WHEN owner.bundle_week = ledger_week(moment.at) THEN 0
        ELSE owner.weekly_credits
    END
    FROM owner
    CROSS JOIN unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS moment (at, number)
    LEFT JOIN credits_grant bundle ON bundle.organization_id = owner.id
        AND bundle.week = ledger_week(moment.at)
    ORDER BY moment.number
"""


def balances(organization: Organization, moments: Sequence[datetime]) -> list[int]:
    """What could be spent in all at each of some moments, as `ledger.balance_at` tells it.

    >>> balances(acme, [datetime(2026, 11, 22, 23, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)])
    [12, 50]
    """
    asked: dict[str, Any] = {
        "organization": organization.pk,
        "moments": list(moments),
        "first": min(moments),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, asked)
        return [int(credits) for (credits,) in cursor.fetchall()]

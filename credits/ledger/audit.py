"""Checks that the ledger explains itself; they read everything and change nothing."""

from collections.abc import Iterator

from django.db import connection

# Each query returns one line of text per row that is off.
CHECKS = {
    "grants": """
        SELECT format('grant %s has %s remaining, its entries add up to %s', g.id, g.remaining,
            coalesce(e.total, 0))
        FROM credits_grant g
        LEFT JOIN (
            SELECT grant_id, sum(credits) AS total FROM credits_entry GROUP BY grant_id
        ) e ON e.grant_id = g.id
        WHERE g.remaining <> coalesce(e.total, 0)
    """,
    "limits": """
        SELECT format('grant %s has %s remaining of %s', id, remaining, amount)
        FROM credits_grant WHERE remaining < 0 OR remaining > amount
    """,
    "entries": """
        SELECT format('entry %s of organization %s leaves %s in grant %s, expected %s', seq,
            organization_id, remaining_after, grant_id, expected)
        FROM (
            SELECT *, sum(credits) OVER (PARTITION BY grant_id ORDER BY seq) AS expected
            FROM credits_entry
        ) e
        WHERE remaining_after <> expected OR remaining_after < 0
    """,
    "sequences": """
        SELECT format('organization %s has entries up to %s, its wallet says %s', organization_id,
            seq, entry_seq)
        FROM (
            SELECT w.organization_id, w.entry_seq, coalesce(max(e.seq), 0) AS seq,
                count(e.seq) AS entries
            FROM credits_wallet w LEFT JOIN credits_entry e USING (organization_id)
            GROUP BY w.organization_id
        ) w
        WHERE entry_seq <> seq OR entry_seq <> entries
    """,
    "owners": """
        SELECT format('entry %s of organization %s is in a grant of organization %s', e.seq,
            e.organization_id, g.organization_id)
        FROM credits_entry e JOIN credits_grant g ON g.id = e.grant_id
        WHERE g.organization_id <> e.organization_id
    """,
    "references": """
        SELECT format('spend %s names an organization, action or key that there is not', s.id)
        FROM credits_spend s
        LEFT JOIN credits_organization o ON o.id = s.organization_id
        LEFT JOIN credits_action a ON a.id = s.action_id
        LEFT JOIN credits_apikey k ON k.id = s.api_key_id
        WHERE o.id IS NULL OR a.id IS NULL OR (k.id IS NULL AND s.api_key_id IS NOT NULL)
        UNION ALL
        SELECT format('entry %s of organization %s names a grant or spend that there is not, or '
            'there is no such organization', e.seq, e.organization_id)
        FROM credits_entry e
        LEFT JOIN credits_organization o ON o.id = e.organization_id
        LEFT JOIN credits_grant g ON g.id = e.grant_id
        LEFT JOIN credits_spend s ON s.id = e.spend_id
        WHERE o.id IS NULL OR g.id IS NULL OR (s.id IS NULL AND e.spend_id IS NOT NULL)
    """,
    "spends": """
        SELECT format('spend %s (%s) of %s credits, %s released and %s refunded: its entries spend '
            '%s, hold %s and refund %s', id, status, credits, released_credits, refunded_credits,
            spent, held, refunded)
        FROM (
            SELECT s.id, s.status, s.credits, s.released_credits, s.refunded_credits,
                coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'spend'), 0) AS spent,
                coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('hold', 'release')), 0) AS held,
                coalesce(sum(e.credits) FILTER (WHERE e.kind = 'refund'), 0) AS refunded
            FROM credits_spend s LEFT JOIN credits_entry e ON e.spend_id = s.id
            GROUP BY s.id
        ) s
        WHERE refunded <> refunded_credits
            OR held <> CASE status WHEN 'held' THEN credits ELSE 0 END
            OR spent <> CASE status WHEN 'spent' THEN credits - released_credits ELSE 0 END
    """,
    "clawbacks": """
        SELECT format('grant %s has %s taken back, %s frozen and %s more to take, its entries take '
            'back %s and freeze %s, and it has %s remaining', g.id, coalesce(revoked_credits, 0),
            coalesce(frozen_credits, 0), coalesce(outstanding_credits, 0), coalesce(revoked, 0),
            coalesce(frozen, 0), remaining)
        FROM credits_grant g
        LEFT JOIN credits_clawback c ON c.grant_id = g.id
        LEFT JOIN (
            SELECT grant_id,
                coalesce(-sum(credits) FILTER (WHERE kind IN ('revoke', 'restore')), 0) AS revoked,
                coalesce(-sum(credits) FILTER (WHERE kind IN ('freeze', 'thaw')), 0) AS frozen
            FROM credits_entry WHERE kind IN ('revoke', 'restore', 'freeze', 'thaw')
            GROUP BY grant_id
        ) e ON e.grant_id = g.id
        WHERE coalesce(revoked_credits, 0) <> coalesce(revoked, 0)
            OR coalesce(frozen_credits, 0) <> coalesce(frozen, 0)
            OR (outstanding_credits > 0 AND remaining > 0)
    """,
    "notices": """
        SELECT format('organization %s is out of credits since %s and low since %s, its notices '
            'say %s and %s', w.organization_id, w.out_of_credits_at, w.low_at, n.out_at, n.low_at)
        FROM credits_wallet w
        LEFT JOIN (
            SELECT organization_id,
                max(occurred_at) FILTER (WHERE kind = 'out_of_credits') AS out_at,
                max(occurred_at) FILTER (WHERE kind = 'low') AS low_at
            FROM credits_notice WHERE ended_at IS NULL GROUP BY organization_id
        ) n USING (organization_id)
        WHERE (w.out_of_credits_at, w.low_at) IS DISTINCT FROM (n.out_at, n.low_at)
    """,
    "shortages": """
        SELECT format('organization %s is out of credits since %s, and grant %s came since',
            w.organization_id, w.out_of_credits_at, g.id)
        FROM credits_wallet w
        JOIN credits_grant g ON g.organization_id = w.organization_id
            AND g.starts_at > w.out_of_credits_at
    """,
    "refills": """
        SELECT format('notice %s tells organization %s of %s twice in a row', id, organization_id,
            kind)
        FROM (
            SELECT *, lag(kind) OVER told AS previous, lag(available_credits) OVER told AS left_then
            FROM credits_notice WHERE kind <> 'low'
            WINDOW told AS (PARTITION BY organization_id ORDER BY id)
        ) n
        WHERE kind = coalesce(previous, 'refilled')
            AND NOT (kind = 'out_of_credits' AND left_then > 0 AND available_credits = 0)
    """,
    "adjustments": """
        SELECT format('adjustment %s is of %s credits, its entries add up to %s', a.id, a.credits,
            coalesce(e.credits, 0))
        FROM credits_adjustment a
        LEFT JOIN (
            SELECT adjustment_id, sum(credits) AS credits
            FROM credits_entry WHERE adjustment_id IS NOT NULL GROUP BY adjustment_id
        ) e ON e.adjustment_id = a.id
        WHERE e.credits IS DISTINCT FROM a.credits
    """,
    "totals": """
        SELECT format('%s: %s of %s grants add up to %s, their total says %s', day, entry_kind,
            grant_kind, coalesce(e.credits, 0), coalesce(t.credits, 0))
        FROM (
            SELECT (e.created_at AT TIME ZONE 'UTC')::date AS day, e.kind AS entry_kind,
                g.kind AS grant_kind, sum(e.credits) AS credits
            FROM credits_totalsmark m
            JOIN credits_entry e ON e.id <= m.entry_id
            JOIN credits_grant g ON g.id = e.grant_id
            GROUP BY 1, 2, 3
        ) e
        FULL JOIN (
            SELECT day, entry_kind, grant_kind, sum(credits) AS credits
            FROM credits_daytotal GROUP BY 1, 2, 3
        ) t USING (day, entry_kind, grant_kind)
        WHERE e.credits IS DISTINCT FROM t.credits
    """,
    "months": """
        SELECT format('top-up %s has %s credits left in its months, %s by its entries',
            grant_id, coalesce(months.closing, 0), coalesce(entries.closing, 0))
        FROM (
            SELECT DISTINCT ON (grant_id) grant_id, closing
            FROM credits_grantmonth ORDER BY grant_id, month DESC
        ) months
        FULL JOIN (
            SELECT e.grant_id, coalesce(sum(e.credits) FILTER (
                WHERE e.kind NOT IN ('hold', 'release', 'freeze', 'thaw')
            ), 0) AS closing
            FROM credits_totalsmark m
            JOIN credits_entry e ON e.id <= m.entry_id
            JOIN credits_grant g ON g.id = e.grant_id AND g.kind = 'top_up'
            GROUP BY e.grant_id
        ) entries USING (grant_id)
        WHERE months.closing IS DISTINCT FROM entries.closing
    """,
}


def findings() -> Iterator[str]:
    """One line for each row that is off, with its check's name; none when all is well."""
    for name, query in CHECKS.items():
        with connection.cursor() as cursor:
            cursor.execute(query)
            yield from (f"{name}: {line}" for (line,) in cursor)

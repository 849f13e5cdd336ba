-- What an organization can spend at a moment, by kind of grant. It counts what is not written down
-- yet: the week's bundle that nobody has touched, and holds past their time that nobody has
-- released, less what clawbacks take of them on their way home. A wallet's time never runs back: a
-- moment before its last entry counts as that entry's.
CREATE OR REPLACE FUNCTION ledger_balance(p_organization bigint, p_at timestamptz)
RETURNS TABLE (kind text, credits bigint)
LANGUAGE sql STABLE AS $$
    WITH wallet AS (
        SELECT w.bundle_week, o.weekly_credits, greatest(p_at, w.last_entry_at) AS at
        FROM credits_wallet w JOIN credits_organization o ON o.id = w.organization_id
        WHERE w.organization_id = p_organization
    ),
    parts (kind, credits) AS (
        SELECT g.kind::text, g.remaining
        FROM wallet, credits_grant g
        WHERE g.organization_id = p_organization AND g.is_open AND g.starts_at <= wallet.at
            AND (g.expires_at IS NULL OR g.expires_at > wallet.at)
        UNION ALL
        SELECT 'weekly', wallet.weekly_credits
        FROM wallet
        WHERE wallet.bundle_week IS NULL OR wallet.bundle_week < ledger_week(wallet.at)
        UNION ALL
        SELECT g.kind::text, greatest(-sum(e.credits) - coalesce(c.outstanding_credits, 0), 0)
        FROM wallet
        JOIN credits_spend s ON s.organization_id = p_organization
            AND s.status = 'held' AND s.hold_expires_at <= wallet.at
        JOIN credits_entry e ON e.spend_id = s.id
        JOIN credits_grant g ON g.id = e.grant_id
            AND (g.expires_at IS NULL OR g.expires_at > wallet.at)
        LEFT JOIN credits_clawback c ON c.grant_id = g.id
        GROUP BY g.id, c.grant_id
    )
    SELECT parts.kind, sum(parts.credits)::bigint FROM parts GROUP BY parts.kind;
$$;

CREATE OR REPLACE FUNCTION ledger_available(p_organization bigint, p_at timestamptz)
RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(b.credits), 0)::bigint FROM ledger_balance(p_organization, p_at) b;
$$;

-- Recharges the next organizations after p_after, p_limit at most, that used credits since their
-- last refill and have no bundle of p_now's week: their lapsed grants expire and the new bundle is
-- written, all as sets; who was out of credits or low is looked at again. `last` is where to go on
-- from, null at the end; `refilled` says how many were recharged. Run twice, killed or run side by
-- side, the ledger comes out the same.
CREATE OR REPLACE FUNCTION ledger_refill(
    p_after bigint, p_limit integer, p_now timestamptz, OUT last bigint, OUT refilled integer
)
LANGUAGE plpgsql AS $$
DECLARE
    v_week date := ledger_week(p_now);
    v_ids bigint[];
BEGIN
    v_ids := ARRAY(
        SELECT organization_id FROM credits_wallet
        WHERE used_since_refill AND bundle_week < v_week AND organization_id > p_after
        ORDER BY organization_id LIMIT p_limit
    );
    last := v_ids[cardinality(v_ids)];

    -- Lock first and look afterwards: the next statement then sees what others did meanwhile.
    PERFORM FROM credits_wallet WHERE organization_id = ANY (v_ids)
    ORDER BY organization_id FOR UPDATE;

    WITH due AS MATERIALIZED (
        SELECT w.organization_id, w.entry_seq, o.weekly_credits,
            greatest(p_now, w.last_entry_at) AS now
        FROM credits_wallet w JOIN credits_organization o ON o.id = w.organization_id
        WHERE w.organization_id = ANY (v_ids) AND w.used_since_refill AND w.bundle_week < v_week
    ),
    lapsed AS MATERIALIZED (
        SELECT g.id, g.organization_id, g.remaining, due.now, due.entry_seq + row_number() OVER (
            PARTITION BY g.organization_id ORDER BY g.expires_at, g.id
        ) AS seq
        FROM due JOIN credits_grant g ON g.organization_id = due.organization_id
        WHERE g.is_open AND g.expires_at <= due.now
    ),
    emptied AS (
        UPDATE credits_grant g SET remaining = 0 FROM lapsed WHERE g.id = lapsed.id
    ),
    counted AS MATERIALIZED (
        SELECT due.organization_id, due.weekly_credits, due.now,
            due.entry_seq + count(lapsed.id) AS seq
        FROM due LEFT JOIN lapsed USING (organization_id)
        GROUP BY due.organization_id, due.weekly_credits, due.now, due.entry_seq
    ),
    bundles AS (
        INSERT INTO credits_grant (
            organization_id, kind, priority, amount, remaining, starts_at, expires_at, week,
            created_at
        )
        SELECT organization_id, 'weekly', 10, weekly_credits, weekly_credits,
            ledger_midnight(v_week), ledger_midnight(v_week + 7), v_week, now
        FROM counted WHERE weekly_credits > 0
        RETURNING id, organization_id, amount
    ),
    entries AS (
        INSERT INTO credits_entry (
            organization_id, seq, grant_id, kind, credits, remaining_after, created_at
        )
        SELECT organization_id, seq, id, 'expire', -remaining, 0, now FROM lapsed
        UNION ALL
        SELECT b.organization_id, c.seq + 1, b.id, 'grant', b.amount, b.amount, c.now
        FROM bundles b JOIN counted c USING (organization_id)
    )
    UPDATE credits_wallet w
    SET entry_seq = c.seq + (c.weekly_credits > 0)::integer, last_entry_at = c.now,
        bundle_week = v_week, used_since_refill = false
    FROM counted c WHERE w.organization_id = c.organization_id;
    GET DIAGNOSTICS refilled = ROW_COUNT;

    PERFORM ledger_note_credits(w.organization_id, w.last_entry_at, g.starts_at)
    FROM credits_wallet w
    JOIN credits_grant g ON g.organization_id = w.organization_id AND g.week = v_week
    WHERE w.organization_id = ANY (v_ids)
        AND (w.out_of_credits_at IS NOT NULL OR w.low_at IS NOT NULL);
END $$;

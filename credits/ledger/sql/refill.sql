-- Recharges the next organizations after p_after, p_limit at most, that used credits since their
-- last refill and have no bundle of p_now's week: their lapsed grants expire and the new bundle is
-- written, all as sets; who was out of credits or low is looked at again. `last` is where to go on
-- from, null at the end; `refilled` says how many were recharged. Run twice, killed or run side by
-- side, the ledger comes out the same.
--
-- It is planned as for a few rows, once: every row is then found by its key. A plan for the chunk at
-- hand reads whole tables, which for a small part of a million costs far more, chunk after chunk.
CREATE OR REPLACE FUNCTION ledger_refill(
    p_after bigint, p_limit integer, p_now timestamptz, OUT last bigint, OUT refilled integer
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_week date := ledger_week(p_now);
    v_monday timestamptz := ledger_midnight(v_week);
    v_next_monday timestamptz := ledger_midnight(v_week + 7);
    v_ids bigint[];
    v_short bigint[];
    -- The bundles' ids are one of uuidv7(), counted on in its last 32 bits (RFC 9562, 6.2): to ask
    -- the operating system for random bits again would cost a tenth of all the work.
    v_series text := left(uuidv7()::text, -8);
BEGIN
    -- Lock first and look afterwards: the next statement then sees what others did meanwhile. Whom
    -- somebody else recharged while we waited for the lock is due no more, and is passed over.
    v_ids := ARRAY(
        SELECT organization_id FROM credits_wallet
        WHERE used_since_refill AND bundle_week < v_week AND organization_id > p_after
        ORDER BY organization_id LIMIT p_limit FOR UPDATE
    );
    last := v_ids[cardinality(v_ids)];

    -- A row for each lapsed grant, and one for an organization that has none. The first of each
    -- organization also stands for its bundle and its wallet, so that nothing is joined again.
    WITH due AS MATERIALIZED (
        SELECT w.organization_id, w.entry_seq, o.weekly_credits,
            greatest(p_now, w.last_entry_at) AS now,
            (v_series || lpad(to_hex(nth_of_chunk), 8, '0'))::uuid AS bundle_id,
            g.id AS lapsed_id, g.remaining AS lapsed,
            row_number() OVER by_expiry AS nth, count(g.id) OVER wallets AS lapses
        FROM unnest(v_ids) WITH ORDINALITY AS chunk (organization_id, nth_of_chunk)
        JOIN credits_wallet w ON w.organization_id = chunk.organization_id
        JOIN credits_organization o ON o.id = w.organization_id
        LEFT JOIN credits_grant g ON g.organization_id = w.organization_id AND g.is_open
            AND g.expires_at <= greatest(p_now, w.last_entry_at)
        WINDOW wallets AS (PARTITION BY w.organization_id),
            by_expiry AS (wallets ORDER BY g.expires_at, g.id)
    ),
    emptied AS (
        UPDATE credits_grant g SET remaining = 0 FROM due WHERE g.id = due.lapsed_id
    ),
    bundles AS (
        INSERT INTO credits_grant (
            id, organization_id, kind, priority, amount, remaining, starts_at, expires_at, week,
            created_at
        )
        SELECT bundle_id, organization_id, 'weekly', 10, weekly_credits, weekly_credits,
            v_monday, v_next_monday, v_week, now
        FROM due WHERE nth = 1 AND weekly_credits > 0
    ),
    entries AS (
        INSERT INTO credits_entry (
            organization_id, seq, grant_id, kind, credits, remaining_after, created_at
        )
        SELECT organization_id, entry_seq + nth, lapsed_id, 'expire', -lapsed, 0, now
        FROM due WHERE lapsed_id IS NOT NULL
        UNION ALL
        SELECT organization_id, entry_seq + lapses + 1, bundle_id, 'grant', weekly_credits,
            weekly_credits, now
        FROM due WHERE nth = 1 AND weekly_credits > 0
    ),
    recharged AS (
        UPDATE credits_wallet w
        SET entry_seq = due.entry_seq + due.lapses + (due.weekly_credits > 0)::integer,
            last_entry_at = due.now, bundle_week = v_week, used_since_refill = false
        FROM due WHERE w.organization_id = due.organization_id AND due.nth = 1
        RETURNING w.organization_id, due.weekly_credits > 0
            AND (w.out_of_credits_at IS NOT NULL OR w.low_at IS NOT NULL) AS is_short
    )
    SELECT count(*), array_agg(organization_id ORDER BY organization_id) FILTER (WHERE is_short)
    INTO refilled, v_short
    FROM recharged;

    PERFORM ledger_note_credits(organization_id, last_entry_at, v_monday)
    FROM credits_wallet WHERE organization_id = ANY (v_short);
END $$;

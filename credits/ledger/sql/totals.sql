-- Adds the next entries, up to p_last and p_limit at most, to the totals by day and by the month of
-- each top-up; how many ids it went through, 0 at the end. The caller has seen that no entry up to
-- p_last is still to come. An organization's entries have rising ids and never go back in time, so
-- a grant's months come in order. It is planned for each range anew: a plan for any range reads whole
-- tables, every minute, once there are millions of entries.
CREATE OR REPLACE FUNCTION ledger_add_totals(p_last bigint, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_after bigint;
    v_until bigint;
BEGIN
    INSERT INTO credits_totalsmark (id, entry_id) VALUES (1, 0) ON CONFLICT DO NOTHING;
    -- Whoever comes while another one adds leaves it to that one.
    SELECT entry_id INTO v_after FROM credits_totalsmark FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    v_until := least(p_last, v_after + p_limit);
    IF v_until <= v_after THEN
        RETURN 0;
    END IF;

    INSERT INTO credits_daytotal AS total (
        day, grant_kind, entry_kind, action_id, credits, entries
    )
    SELECT (e.created_at AT TIME ZONE 'UTC')::date, g.kind, e.kind, s.action_id, sum(e.credits),
        count(*)
    FROM credits_entry e
    JOIN credits_grant g ON g.id = e.grant_id
    LEFT JOIN credits_spend s ON s.id = e.spend_id
    WHERE e.id > v_after AND e.id <= v_until
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (day, entry_kind, grant_kind, action_id) DO UPDATE
    SET credits = total.credits + excluded.credits, entries = total.entries + excluded.entries;

    WITH moved AS (
        SELECT e.grant_id, date_trunc('month', e.created_at AT TIME ZONE 'UTC')::date AS month,
            coalesce(sum(e.credits) FILTER (WHERE e.kind = 'grant'), 0) AS granted,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('spend', 'refund')), 0) AS used,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'expire'), 0) AS lapsed,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('revoke', 'restore')), 0)
                AS taken_back,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'adjust'), 0) AS adjusted,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('hold', 'release')), 0) AS set_aside,
            coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('freeze', 'thaw')), 0) AS frozen
        FROM credits_entry e JOIN credits_grant g ON g.id = e.grant_id
        WHERE e.id > v_after AND e.id <= v_until AND g.kind = 'top_up'
        GROUP BY 1, 2
    )
    INSERT INTO credits_grantmonth AS so_far (
        grant_id, month, granted, used, lapsed, taken_back, adjusted, set_aside, frozen, closing
    )
    SELECT m.grant_id, m.month, m.granted, m.used, m.lapsed, m.taken_back, m.adjusted, m.set_aside,
        m.frozen,
        coalesce(before.closing, 0) + sum(
            m.granted - m.used - m.lapsed - m.taken_back - m.adjusted
        ) OVER (PARTITION BY m.grant_id ORDER BY m.month)
    FROM moved m
    LEFT JOIN LATERAL (
        SELECT gm.closing FROM credits_grantmonth gm
        WHERE gm.grant_id = m.grant_id ORDER BY gm.month DESC LIMIT 1
    ) before ON true
    ON CONFLICT (grant_id, month) DO UPDATE
    SET granted = so_far.granted + excluded.granted, used = so_far.used + excluded.used,
        lapsed = so_far.lapsed + excluded.lapsed,
        taken_back = so_far.taken_back + excluded.taken_back,
        adjusted = so_far.adjusted + excluded.adjusted,
        set_aside = so_far.set_aside + excluded.set_aside,
        frozen = so_far.frozen + excluded.frozen, closing = excluded.closing;

    UPDATE credits_totalsmark SET entry_id = v_until;
    RETURN v_until - v_after;
END $$;

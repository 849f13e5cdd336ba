-- What an organization is told when its credits run out, run low or come again. The moment is found
-- where it happens, under the wallet's lock, so that there is one notice however many spends race.
-- The wallet keeps since when it is out or low, so that the next spends look no further. Only new
-- credits end either: were it refunds and released holds too, the notices would flap.

-- A spend or a capture left p_left credits to spend.
CREATE OR REPLACE FUNCTION ledger_note_use(
    p_organization bigint, p_left bigint, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_left = 0 THEN
        PERFORM ledger_note_shortage(p_organization, p_left, p_now);
        RETURN;
    END IF;
    UPDATE credits_wallet w SET low_at = p_now
    FROM credits_organization o
    WHERE w.organization_id = p_organization AND o.id = p_organization
        AND w.low_at IS NULL AND o.show_balance AND o.low_balance_credits > p_left
        -- A refusal that left more than the threshold told nothing of what is low now.
        AND NOT EXISTS (
            SELECT FROM credits_notice n
            WHERE n.organization_id = p_organization AND n.kind = 'out_of_credits'
                AND n.ended_at IS NULL AND n.available_credits < o.low_balance_credits
        );
    IF FOUND THEN
        INSERT INTO credits_notice (organization_id, kind, available_credits, occurred_at)
        VALUES (p_organization, 'low', p_left, p_now);
    END IF;
END $$;

-- Nothing is left to spend, or a spend was refused because p_left was not enough.
CREATE OR REPLACE FUNCTION ledger_note_shortage(
    p_organization bigint, p_left bigint, p_now timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_week date := ledger_week(p_now);
BEGIN
    -- A bundle that nobody has touched yet has come all the same.
    PERFORM ledger_note_credits(p_organization, p_now, ledger_midnight(v_week))
    FROM credits_wallet w JOIN credits_organization o ON o.id = w.organization_id
    WHERE w.organization_id = p_organization AND o.weekly_credits > 0
        AND (w.bundle_week IS NULL OR w.bundle_week < v_week);

    -- Whoever heard of it when some were left hears once more when none are.
    UPDATE credits_notice SET ended_at = p_now
    WHERE organization_id = p_organization AND kind = 'out_of_credits' AND ended_at IS NULL
        AND available_credits > 0 AND p_left = 0;
    IF FOUND THEN
        UPDATE credits_wallet SET out_of_credits_at = NULL WHERE organization_id = p_organization;
    END IF;

    UPDATE credits_wallet SET out_of_credits_at = p_now
    WHERE organization_id = p_organization AND out_of_credits_at IS NULL;
    IF FOUND THEN
        INSERT INTO credits_notice (organization_id, kind, available_credits, occurred_at)
        VALUES (p_organization, 'out_of_credits', p_left, p_now);
    END IF;
END $$;

-- New credits came: they end a shortage, a weekly bundle only one from before p_before, its Monday,
-- because whatever came after already counted with it.
CREATE OR REPLACE FUNCTION ledger_note_credits(
    p_organization bigint, p_now timestamptz, p_before timestamptz DEFAULT 'infinity'
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE credits_wallet SET out_of_credits_at = NULL
    WHERE organization_id = p_organization AND out_of_credits_at < p_before;
    IF FOUND THEN
        UPDATE credits_notice SET ended_at = p_now
        WHERE organization_id = p_organization AND kind = 'out_of_credits' AND ended_at IS NULL;
        INSERT INTO credits_notice (organization_id, kind, available_credits, occurred_at)
        VALUES (
            p_organization, 'refilled', ledger_available(p_organization, p_now), p_now
        );
    END IF;
    PERFORM ledger_review_low(p_organization, p_now);
END $$;

-- A balance is low no more once it reaches the organization's threshold, or there is none.
CREATE OR REPLACE FUNCTION ledger_review_low(p_organization bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_threshold bigint;
BEGIN
    SELECT coalesce(o.low_balance_credits, 0) INTO v_threshold
    FROM credits_wallet w JOIN credits_organization o ON o.id = w.organization_id
    WHERE w.organization_id = p_organization AND w.low_at IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF ledger_available(p_organization, p_now) >= v_threshold THEN
        UPDATE credits_wallet SET low_at = NULL WHERE organization_id = p_organization;
        UPDATE credits_notice SET ended_at = p_now
        WHERE organization_id = p_organization AND kind = 'low' AND ended_at IS NULL;
    END IF;
END $$;

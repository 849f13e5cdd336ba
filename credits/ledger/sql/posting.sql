-- The one way to move credits: change a grant's remainder and write the entry that explains it.
-- The caller holds the wallet's lock, so sequence numbers have no gaps.
CREATE OR REPLACE FUNCTION ledger_post(
    p_organization bigint, p_grant uuid, p_kind text, p_credits bigint, p_now timestamptz,
    p_spend uuid DEFAULT NULL, p_actor bigint DEFAULT NULL, p_reason text DEFAULT '',
    p_adjustment uuid DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_is_use boolean := p_kind IN ('spend', 'hold');
    v_seq bigint;
    v_remaining bigint;
BEGIN
    -- Without a bundle nobody else writes down that a new week has begun (ledger_due).
    UPDATE credits_wallet
    SET entry_seq = entry_seq + 1,
        last_entry_at = p_now,
        bundle_week = CASE WHEN v_is_use THEN greatest(bundle_week, ledger_week(p_now))
            ELSE bundle_week END,
        used_since_refill = used_since_refill OR v_is_use
    WHERE organization_id = p_organization
    RETURNING entry_seq INTO v_seq;

    UPDATE credits_grant SET remaining = remaining + p_credits
    WHERE id = p_grant AND organization_id = p_organization
    RETURNING remaining INTO v_remaining;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organization % has no grant %', p_organization, p_grant;
    END IF;

    INSERT INTO credits_entry (
        organization_id, seq, grant_id, kind, credits, remaining_after, spend_id, actor_id, reason,
        adjustment_id, created_at
    )
    VALUES (
        p_organization, v_seq, p_grant, p_kind, p_credits, v_remaining, p_spend, p_actor, p_reason,
        p_adjustment, p_now
    );
END $$;

-- A new grant and the entry that fills it.
CREATE OR REPLACE FUNCTION ledger_open_grant(
    p_organization bigint, p_kind text, p_priority integer, p_amount bigint, p_now timestamptz,
    p_starts_at timestamptz, p_expires_at timestamptz DEFAULT NULL, p_week date DEFAULT NULL,
    p_purchase uuid DEFAULT NULL, p_actor bigint DEFAULT NULL, p_reason text DEFAULT '',
    p_adjustment uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_grant uuid;
BEGIN
    INSERT INTO credits_grant (
        organization_id, kind, priority, amount, remaining, starts_at, expires_at, week,
        purchase_id, created_at
    )
    VALUES (
        p_organization, p_kind, p_priority, p_amount, 0, p_starts_at, p_expires_at, p_week,
        p_purchase, p_now
    )
    RETURNING id INTO v_grant;
    PERFORM ledger_post(
        p_organization, v_grant, 'grant', p_amount, p_now,
        p_actor => p_actor, p_reason => p_reason, p_adjustment => p_adjustment
    );
    PERFORM ledger_note_credits(
        p_organization, p_now, CASE p_kind WHEN 'weekly' THEN p_starts_at ELSE 'infinity' END
    );
    RETURN v_grant;
END $$;

-- The grants that can be spent from at a moment. Planned as a part of the query that asks.
CREATE OR REPLACE FUNCTION ledger_spendable(p_organization bigint, p_at timestamptz)
RETURNS SETOF credits_grant
LANGUAGE sql STABLE AS $$
    SELECT * FROM credits_grant
    WHERE organization_id = p_organization AND is_open AND starts_at <= p_at
        AND (expires_at IS NULL OR expires_at > p_at)
$$;

-- What one grant gave to a spend.
CREATE OR REPLACE FUNCTION ledger_part(p_grant uuid, p_kind text, p_credits bigint) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_build_object('grant', p_grant, 'kind', p_kind, 'credits', p_credits);

-- Takes credits from the open grants in burn-down order; says what each grant gave.
-- The caller has seen that they suffice.
CREATE OR REPLACE FUNCTION ledger_draw(
    p_organization bigint, p_kind text, p_credits bigint, p_now timestamptz,
    p_spend uuid DEFAULT NULL, p_actor bigint DEFAULT NULL, p_reason text DEFAULT '',
    p_adjustment uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_grant record;
    v_taken bigint;
    v_left bigint := p_credits;
    v_drawn jsonb := '[]';
BEGIN
    FOR v_grant IN
        SELECT id, kind, remaining FROM ledger_spendable(p_organization, p_now)
        ORDER BY priority, expires_at NULLS LAST, created_at, id
    LOOP
        v_taken := least(v_left, v_grant.remaining);
        PERFORM ledger_post(
            p_organization, v_grant.id, p_kind, -v_taken, p_now,
            p_spend, p_actor, p_reason, p_adjustment
        );
        v_drawn := v_drawn || ledger_part(v_grant.id, v_grant.kind, v_taken);
        v_left := v_left - v_taken;
        EXIT WHEN v_left = 0;
    END LOOP;
    IF v_left > 0 THEN
        RAISE EXCEPTION 'organization % is % credits short', p_organization, v_left;
    END IF;
    RETURN v_drawn;
END $$;

-- Gives credits back to the grants a spend was paid from, the last drawn first, so that bought
-- credits come home before free ones. In a lapsed grant they lapse again, on the record, and a
-- clawback that is short of them takes them.
DROP FUNCTION IF EXISTS ledger_give_back(uuid, bigint, timestamptz);
CREATE OR REPLACE FUNCTION ledger_give_back(
    p_spend uuid, p_credits bigint, p_now timestamptz,
    p_actor bigint DEFAULT NULL, p_reason text DEFAULT ''
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_part record;
    v_given bigint;
    v_left bigint := p_credits;
BEGIN
    FOR v_part IN
        SELECT e.organization_id, e.grant_id, g.expires_at, c.outstanding_credits,
            -sum(e.credits)::bigint AS kept
        FROM credits_entry e
        JOIN credits_grant g ON g.id = e.grant_id
        LEFT JOIN credits_clawback c ON c.grant_id = e.grant_id
        WHERE e.spend_id = p_spend AND e.kind IN ('spend', 'refund')
        GROUP BY e.organization_id, e.grant_id, g.expires_at, c.outstanding_credits
        HAVING sum(e.credits) < 0
        ORDER BY min(e.seq) DESC
    LOOP
        v_given := least(v_left, v_part.kept);
        PERFORM ledger_post(
            v_part.organization_id, v_part.grant_id, 'refund', v_given, p_now,
            p_spend, p_actor, p_reason
        );
        IF v_part.outstanding_credits > 0 THEN
            PERFORM ledger_claw_back(
                v_part.grant_id, p_now, p_spend, p_actor => p_actor, p_reason => p_reason
            );
        ELSIF v_part.expires_at <= p_now THEN
            PERFORM ledger_post(
                v_part.organization_id, v_part.grant_id, 'expire', -v_given, p_now,
                p_actor => p_actor, p_reason => p_reason
            );
        END IF;
        v_left := v_left - v_given;
        EXIT WHEN v_left = 0;
    END LOOP;
    IF v_left > 0 THEN
        RAISE EXCEPTION 'spend % cannot give back % credits', p_spend, p_credits;
    END IF;
END $$;

-- Ends a hold: all of it goes home to its grants, and what is captured is spent from them again,
-- so that the entries alone tell what was set aside and what was used. A clawback that is short of
-- credits takes the rest.
DROP FUNCTION IF EXISTS ledger_settle_hold(uuid, bigint, text, timestamptz);
CREATE OR REPLACE FUNCTION ledger_settle_hold(
    p_spend uuid, p_captured bigint, p_status text, p_now timestamptz,
    p_actor bigint DEFAULT NULL, p_reason text DEFAULT ''
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_part record;
    v_taken bigint;
    v_left bigint := p_captured;
    v_organization bigint;
BEGIN
    FOR v_part IN
        SELECT e.organization_id, e.grant_id, g.expires_at, c.outstanding_credits,
            -e.credits AS held
        FROM credits_entry e
        JOIN credits_grant g ON g.id = e.grant_id
        LEFT JOIN credits_clawback c ON c.grant_id = e.grant_id
        WHERE e.spend_id = p_spend AND e.kind = 'hold'
        ORDER BY e.seq
    LOOP
        PERFORM ledger_post(
            v_part.organization_id, v_part.grant_id, 'release', v_part.held, p_now,
            p_spend, p_actor, p_reason
        );
        v_taken := least(v_left, v_part.held);
        IF v_taken > 0 THEN
            PERFORM ledger_post(
                v_part.organization_id, v_part.grant_id, 'spend', -v_taken, p_now, p_spend
            );
        END IF;
        IF v_part.outstanding_credits > 0 AND v_taken < v_part.held THEN
            PERFORM ledger_claw_back(
                v_part.grant_id, p_now, p_spend, p_actor => p_actor, p_reason => p_reason
            );
        ELSIF v_part.expires_at <= p_now AND v_taken < v_part.held THEN
            PERFORM ledger_post(
                v_part.organization_id, v_part.grant_id, 'expire', v_taken - v_part.held, p_now,
                p_actor => p_actor, p_reason => p_reason
            );
        END IF;
        v_left := v_left - v_taken;
    END LOOP;
    UPDATE credits_spend SET status = p_status, released_credits = credits - p_captured
    WHERE id = p_spend
    RETURNING organization_id INTO v_organization;
    IF p_captured > 0 THEN
        PERFORM ledger_note_use(v_organization, ledger_available(v_organization, p_now), p_now);
    END IF;
END $$;

-- Whether ledger_touch has to be called before a spend: for an organization without a bundle a new
-- week is nothing, and the spend itself writes it down. Planned as a part of the query that asks.
DROP FUNCTION IF EXISTS ledger_due(bigint, date, timestamptz);
CREATE OR REPLACE FUNCTION ledger_due(
    p_organization bigint, p_bundle_week date, p_weekly_credits bigint, p_at timestamptz
) RETURNS TABLE (is_due boolean)
LANGUAGE sql STABLE AS $$
    SELECT p_weekly_credits > 0
            AND (p_bundle_week IS NULL OR p_bundle_week < ledger_week(p_at))
        OR EXISTS (
            SELECT FROM credits_spend s
            WHERE s.organization_id = p_organization AND s.status = 'held'
                AND s.hold_expires_at <= p_at
        )
        OR EXISTS (
            SELECT FROM credits_grant g
            WHERE g.organization_id = p_organization AND g.is_open AND g.expires_at <= p_at
        )
$$;

-- Writes down what time alone has changed since the wallet was last touched: holds past their time
-- let go, lapsed grants expire, and the week's bundle is there. The caller holds the wallet's lock.
CREATE OR REPLACE FUNCTION ledger_touch(p_organization bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_hold uuid;
    v_grant record;
    v_week date := ledger_week(p_now);
    v_bundle bigint;
BEGIN
    FOR v_hold IN
        SELECT id FROM credits_spend
        WHERE organization_id = p_organization AND status = 'held' AND hold_expires_at <= p_now
        ORDER BY hold_expires_at, id
    LOOP
        PERFORM ledger_settle_hold(v_hold, 0, 'expired', p_now);
    END LOOP;

    FOR v_grant IN
        SELECT id, remaining FROM credits_grant
        WHERE organization_id = p_organization AND is_open AND expires_at <= p_now
        ORDER BY expires_at, id
    LOOP
        PERFORM ledger_post(p_organization, v_grant.id, 'expire', -v_grant.remaining, p_now);
    END LOOP;

    UPDATE credits_wallet w SET bundle_week = v_week, used_since_refill = false
    FROM credits_organization o
    WHERE w.organization_id = p_organization AND o.id = p_organization
        AND (w.bundle_week IS NULL OR w.bundle_week < v_week)
    RETURNING o.weekly_credits INTO v_bundle;
    IF v_bundle > 0 THEN
        PERFORM ledger_open_grant(
            p_organization, 'weekly', 10, v_bundle, p_now,
            p_starts_at => ledger_midnight(v_week), p_expires_at => ledger_midnight(v_week + 7),
            p_week => v_week
        );
    END IF;
END $$;

-- Locks a wallet and brings it up to date; the moment it returns is the one to write entries at.
CREATE OR REPLACE FUNCTION ledger_open_wallet(p_organization bigint, p_now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
BEGIN
    SELECT greatest(p_now, last_entry_at) INTO STRICT v_now
    FROM credits_wallet WHERE organization_id = p_organization FOR UPDATE;
    PERFORM ledger_touch(p_organization, v_now);
    RETURN v_now;
END $$;

-- Every organization has its wallet from its first moment.
CREATE OR REPLACE FUNCTION ledger_make_wallet() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credits_wallet (organization_id) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER every_organization_has_a_wallet
AFTER INSERT ON credits_organization
FOR EACH ROW EXECUTE FUNCTION ledger_make_wallet();

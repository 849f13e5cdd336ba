-- One spend, or one hold when p_hold_seconds is given, in one round trip and one commit: lock the
-- wallet, answer a repeated key, price the action, give the week's bundle if it is missing, take
-- from grants in burn-down order, write the spend and its entries. A refusal writes nothing, but
-- the first one that credits have run out (see notices.sql).
--
-- outcome: created, replayed, conflict, suspended, unknown_action, out_of_credits or token_limit;
-- with out_of_credits, `total` is what was needed and `balance` what there was at the moment `at`.
-- p_token is the browser token that spends, if one does: p_token_limit credits at most in all.
CREATE OR REPLACE FUNCTION ledger_spend(
    p_organization bigint, p_api_key bigint, p_action text, p_quantity integer, p_reference text,
    p_idempotency_key text, p_hold_seconds integer, p_now timestamptz,
    p_token uuid DEFAULT NULL, p_token_limit bigint DEFAULT NULL,
    p_token_expires_at timestamptz DEFAULT NULL,
    OUT outcome text, OUT spend uuid, OUT price integer, OUT total bigint, OUT drawn jsonb,
    OUT balance bigint, OUT at timestamptz, OUT held_until timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
    v_wallet record;
    v_seen record;
    v_used bigint;
    v_kind text := CASE WHEN p_hold_seconds IS NULL THEN 'spend' ELSE 'hold' END;
BEGIN
    SELECT greatest(p_now, w.last_entry_at) AS now, w.bundle_week, w.out_of_credits_at, w.low_at
    INTO STRICT v_wallet
    FROM credits_wallet w WHERE w.organization_id = p_organization FOR UPDATE;

    -- Read under the lock: whoever had it before may have changed any of this. Of the grants it is
    -- the one to draw from first, and what all have: the balance, unless something is due.
    SELECT a.id AS action, a.credits AS price, o.suspended_at, o.weekly_credits, due.is_due,
        g.id AS grant_id, g.kind AS grant_kind, g.remaining, g.available,
        CASE WHEN o.show_balance AND v_wallet.low_at IS NULL THEN o.low_balance_credits END
            AS threshold,
        p_api_key IS NULL OR EXISTS (
            SELECT FROM credits_apikey k WHERE k.id = p_api_key
        ) AS has_key,
        (
            SELECT s.id FROM credits_spend s
            WHERE s.organization_id = p_organization AND s.idempotency_key = p_idempotency_key
        ) AS first
    INTO STRICT v_seen
    FROM credits_organization o
    CROSS JOIN ledger_due(
        o.id, v_wallet.bundle_week, o.weekly_credits, v_wallet.now
    ) due
    LEFT JOIN credits_action a ON a.code = p_action AND a.is_active
    LEFT JOIN LATERAL (
        SELECT *, sum(remaining) OVER () AS available
        FROM ledger_spendable(p_organization, v_wallet.now)
        ORDER BY priority, expires_at NULLS LAST, created_at, id LIMIT 1
    ) g ON true
    WHERE o.id = p_organization;

    IF v_seen.first IS NOT NULL THEN
        SELECT r.* INTO outcome, spend, price, total, drawn, balance, at, held_until
        FROM ledger_repeat(v_seen.first, p_action, p_quantity, p_reference, p_hold_seconds) r;
        RETURN;
    ELSIF v_seen.suspended_at IS NOT NULL THEN
        outcome := 'suspended';
        RETURN;
    ELSIF v_seen.action IS NULL THEN
        outcome := 'unknown_action';
        RETURN;
    ELSIF NOT v_seen.has_key THEN
        RAISE foreign_key_violation USING MESSAGE = format('there is no API key %s', p_api_key);
    END IF;

    at := v_wallet.now;
    price := v_seen.price;
    total := price::bigint * p_quantity;
    -- Before the balance: beyond its limit a token must not even learn whether there is enough.
    IF p_token IS NOT NULL THEN
        SELECT u.credits INTO v_used FROM credits_tokenuse u WHERE u.id = p_token;
        IF p_token_limit < total + coalesce(v_used, 0) THEN
            outcome := 'token_limit';
            RETURN;
        END IF;
    END IF;

    balance := CASE WHEN v_seen.is_due THEN ledger_available(p_organization, at)
        ELSE coalesce(v_seen.available, 0) END;
    IF balance < total THEN
        outcome := 'out_of_credits';
        -- The refusals after it cost nothing more, until a new week may have brought a bundle.
        IF v_wallet.out_of_credits_at IS NULL OR v_seen.weekly_credits > 0
            AND v_wallet.out_of_credits_at < ledger_midnight(ledger_week(at))
        THEN
            PERFORM ledger_note_shortage(p_organization, balance, at);
        END IF;
        RETURN;
    END IF;

    IF p_token IS NOT NULL THEN
        INSERT INTO credits_tokenuse AS used (id, organization_id, credits, expires_at)
        VALUES (p_token, p_organization, total, p_token_expires_at)
        ON CONFLICT (id) DO UPDATE SET credits = used.credits + excluded.credits;
    END IF;

    IF v_seen.is_due THEN
        PERFORM ledger_touch(p_organization, at);
    END IF;
    outcome := 'created';
    held_until := at + make_interval(secs => p_hold_seconds);
    balance := balance - total;
    INSERT INTO credits_spend (
        organization_id, api_key_id, action_id, quantity, unit_credits, credits, status,
        hold_expires_at, balance_after, reference, idempotency_key, created_at
    )
    VALUES (
        p_organization, p_api_key, v_seen.action, p_quantity, price, total,
        CASE v_kind WHEN 'spend' THEN 'spent' ELSE 'held' END,
        held_until, balance, p_reference, p_idempotency_key, at
    )
    RETURNING id INTO spend;
    IF v_seen.remaining >= total AND NOT v_seen.is_due THEN
        PERFORM ledger_post(p_organization, v_seen.grant_id, v_kind, -total, at, spend);
        drawn := jsonb_build_array(ledger_part(v_seen.grant_id, v_seen.grant_kind, total));
    ELSE
        drawn := ledger_draw(p_organization, v_kind, total, at, spend);
    END IF;
    IF v_kind = 'spend' AND balance < greatest(v_seen.threshold, 1) THEN
        PERFORM ledger_note_use(p_organization, balance, at);
    END IF;
END $$;

-- What a repeated key is answered: what its first request was, or that this one is another.
CREATE OR REPLACE FUNCTION ledger_repeat(
    p_first uuid, p_action text, p_quantity integer, p_reference text, p_hold_seconds integer
)
RETURNS TABLE (
    outcome text, spend uuid, price integer, total bigint, drawn jsonb, balance bigint,
    at timestamptz, held_until timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
    v_first record;
BEGIN
    SELECT s.*, a.code INTO STRICT v_first
    FROM credits_spend s JOIN credits_action a ON a.id = s.action_id
    WHERE s.id = p_first;
    IF v_first.code <> p_action OR v_first.quantity <> p_quantity
        OR v_first.reference <> p_reference
        OR v_first.hold_expires_at IS DISTINCT FROM
            v_first.created_at + make_interval(secs => p_hold_seconds)
    THEN
        outcome := 'conflict';
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'replayed', p_first, v_first.unit_credits, v_first.credits,
        jsonb_agg(ledger_part(g.id, g.kind, -e.credits) ORDER BY e.seq),
        v_first.balance_after, v_first.created_at, v_first.hold_expires_at
    FROM credits_entry e JOIN credits_grant g ON g.id = e.grant_id
    WHERE e.spend_id = p_first
        AND e.kind = CASE WHEN p_hold_seconds IS NULL THEN 'spend' ELSE 'hold' END;
END $$;

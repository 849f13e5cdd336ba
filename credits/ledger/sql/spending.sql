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
    v_action record;
    v_first record;
    v_used bigint;
    v_kind text := CASE WHEN p_hold_seconds IS NULL THEN 'spend' ELSE 'hold' END;
BEGIN
    SELECT greatest(p_now, w.last_entry_at) AS now, o.suspended_at, w.out_of_credits_at,
        o.weekly_credits,
        CASE WHEN o.show_balance AND w.low_at IS NULL THEN o.low_balance_credits END AS threshold
    INTO STRICT v_wallet
    FROM credits_wallet w JOIN credits_organization o ON o.id = w.organization_id
    WHERE w.organization_id = p_organization
    FOR UPDATE OF w;

    IF p_idempotency_key IS NOT NULL THEN
        SELECT s.*, a.code INTO v_first
        FROM credits_spend s JOIN credits_action a ON a.id = s.action_id
        WHERE s.organization_id = p_organization AND s.idempotency_key = p_idempotency_key;
        IF FOUND THEN
            IF v_first.code <> p_action OR v_first.quantity <> p_quantity
                OR v_first.reference <> p_reference
                OR v_first.hold_expires_at IS DISTINCT FROM
                    v_first.created_at + make_interval(secs => p_hold_seconds)
            THEN
                outcome := 'conflict';
                RETURN;
            END IF;
            SELECT jsonb_agg(
                jsonb_build_object('grant', g.id, 'kind', g.kind, 'credits', -e.credits)
                ORDER BY e.seq
            )
            INTO drawn
            FROM credits_entry e JOIN credits_grant g ON g.id = e.grant_id
            WHERE e.spend_id = v_first.id AND e.kind = v_kind;
            outcome := 'replayed';
            spend := v_first.id;
            price := v_first.unit_credits;
            total := v_first.credits;
            balance := v_first.balance_after;
            at := v_first.created_at;
            held_until := v_first.hold_expires_at;
            RETURN;
        END IF;
    END IF;

    IF v_wallet.suspended_at IS NOT NULL THEN
        outcome := 'suspended';
        RETURN;
    END IF;

    SELECT a.id, a.credits INTO v_action FROM credits_action a
    WHERE a.code = p_action AND a.is_active;
    IF NOT FOUND THEN
        outcome := 'unknown_action';
        RETURN;
    END IF;

    at := v_wallet.now;
    price := v_action.credits;
    total := price::bigint * p_quantity;
    -- Before the balance: beyond its limit a token must not even learn whether there is enough.
    IF p_token IS NOT NULL THEN
        SELECT u.credits INTO v_used FROM credits_tokenuse u WHERE u.id = p_token;
        IF p_token_limit < total + coalesce(v_used, 0) THEN
            outcome := 'token_limit';
            RETURN;
        END IF;
    END IF;
    balance := ledger_available(p_organization, at);
    IF balance < total THEN
        outcome := 'out_of_credits';
        -- The refusals after it cost nothing more, until a new week may have brought a bundle.
        IF v_wallet.out_of_credits_at IS NULL OR v_wallet.weekly_credits > 0
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

    PERFORM ledger_touch(p_organization, at);
    outcome := 'created';
    held_until := at + make_interval(secs => p_hold_seconds);
    balance := balance - total;
    INSERT INTO credits_spend (
        organization_id, api_key_id, action_id, quantity, unit_credits, credits, status,
        hold_expires_at, balance_after, reference, idempotency_key, created_at
    )
    VALUES (
        p_organization, p_api_key, v_action.id, p_quantity, price, total,
        CASE v_kind WHEN 'spend' THEN 'spent' ELSE 'held' END,
        held_until, balance, p_reference, p_idempotency_key, at
    )
    RETURNING id INTO spend;
    drawn := ledger_draw(p_organization, v_kind, total, at, spend);
    IF v_kind = 'spend' AND balance < greatest(v_wallet.threshold, 1) THEN
        PERFORM ledger_note_use(p_organization, balance, at);
    END IF;
END $$;

-- Many spends in one round trip and one commit, each made or refused on its own, in organization
-- order so that two batches never wait for each other in a circle. p_spends is an array of
-- {"organization": id, "action": code, "quantity": n, "reference": text, "key": text or null,
-- "api_key": id, where it is not p_api_key}; `item` is the position in it, from 0.
CREATE OR REPLACE FUNCTION ledger_spend_batch(
    p_spends jsonb, p_api_key bigint, p_now timestamptz
)
RETURNS TABLE (
    item integer, outcome text, spend uuid, price integer, total bigint, drawn jsonb,
    balance bigint, at timestamptz, held_until timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
    v_spend record;
BEGIN
    FOR v_spend IN
        SELECT (ordinality - 1)::integer AS item, (value ->> 'organization')::bigint AS organization,
            value ->> 'action' AS action, (value ->> 'quantity')::integer AS quantity,
            value ->> 'reference' AS reference, value ->> 'key' AS key,
            coalesce((value ->> 'api_key')::bigint, p_api_key) AS api_key
        FROM jsonb_array_elements(p_spends) WITH ORDINALITY
        ORDER BY organization, item
    LOOP
        RETURN QUERY
        SELECT v_spend.item, s.*
        FROM ledger_spend(
            v_spend.organization, v_spend.api_key, v_spend.action, v_spend.quantity, v_spend.reference,
            v_spend.key, NULL, p_now
        ) s;
    END LOOP;
END $$;

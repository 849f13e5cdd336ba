-- Many spends in one round trip and one commit, each made or refused on its own, as if they came one
-- after the other. Wallets are locked in organization order, so that two batches never wait for each
-- other in a circle. What is ordinary is made as sets; an organization with anything else in it
-- (a repeated key, credits that do not suffice, a week's bundle to write, ...) goes through
-- ledger_spend, item by item. p_spends is an array of {"organization": id, "action": code,
-- "quantity": n, "reference": text, "key": text or null, "api_key": id, where it is not p_api_key};
-- `item` is the position in it, from 0.
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
    v_left integer[];
BEGIN
    -- For a lone one, sets are more work than they save.
    IF jsonb_array_length(p_spends) > 1 THEN
        FOR item, outcome, spend, price, total, drawn, balance, at IN
            SELECT * FROM ledger_spend_sets(p_spends, p_api_key, p_now)
        LOOP
            IF outcome IS NULL THEN
                v_left := v_left || item;
            ELSE
                RETURN NEXT;
            END IF;
        END LOOP;
    ELSE
        v_left := '{0}';
    END IF;
    IF v_left IS NOT NULL THEN
        FOR v_spend IN
            SELECT * FROM ledger_asked(p_spends, p_api_key) asked
            WHERE asked.item = ANY (v_left)
            ORDER BY asked.organization, asked.item
        LOOP
            RETURN QUERY
            SELECT v_spend.item, s.*
            FROM ledger_spend(
                v_spend.organization, v_spend.api_key, v_spend.action, v_spend.quantity,
                v_spend.reference, v_spend.key, NULL, p_now
            ) s;
        END LOOP;
    END IF;
END $$;

-- The rows of a batch. Planned as a part of the query that asks.
CREATE OR REPLACE FUNCTION ledger_asked(p_spends jsonb, p_api_key bigint)
RETURNS TABLE (
    item integer, organization bigint, action text, quantity integer, reference text, key text,
    api_key bigint
)
LANGUAGE sql STABLE AS $$
    SELECT (ordinality - 1)::integer, organization, action, quantity, reference, key,
        coalesce(api_key, p_api_key)
    FROM ROWS FROM (
        jsonb_to_recordset(p_spends) AS (
            organization bigint, action text, quantity integer, reference text, key text,
            api_key bigint
        )
    ) WITH ORDINALITY
$$;

-- What it did in several steps once.
DROP FUNCTION IF EXISTS ledger_spend_sets(jsonb, bigint, timestamptz, bigint[], jsonb);
DROP FUNCTION IF EXISTS ledger_refuse_sets(jsonb, bigint, timestamptz, bigint[], jsonb);
DROP FUNCTION IF EXISTS ledger_lock_ordinary(jsonb, bigint, timestamptz);
DROP FUNCTION IF EXISTS ledger_prices(jsonb);

-- Locks the wallets of a batch and makes what is ordinary in it, as ledger_spend would one by one.
-- An organization is ordinary where each action is sold and each key new, and nothing is due. If it
-- is rich, there is enough for all its spends, and what is left tells nobody anything; if it is
-- poor, too little for any, as it was told before. Of one that is neither `outcome` is empty, with
-- nothing done. A batch is small against the tables, so rows are found by index, however the planner
-- sees it, and by one plan, as planning takes longer than the rest of a small batch.
--
-- Spends and grants lie along one line of credits, an organization's spends in the order given and
-- its grants in burn-down order; where two overlap, the one is paid from the other.
CREATE OR REPLACE FUNCTION ledger_spend_sets(p_spends jsonb, p_api_key bigint, p_now timestamptz)
RETURNS TABLE (
    item integer, outcome text, spend uuid, price integer, total bigint, drawn jsonb,
    balance bigint, at timestamptz
)
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM credits_wallet
    WHERE organization_id = ANY (ARRAY(
        SELECT asked.organization FROM ledger_asked(p_spends, p_api_key) asked
    ))
    ORDER BY organization_id FOR UPDATE;

    -- A statement of its own, which sees what was committed while the locks were waited for.
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT asked.*, uuidv7() AS id, a.id AS action_id, a.credits AS price,
            asked.quantity::bigint * a.credits AS total,
            sum(asked.quantity::bigint * a.credits) OVER (
                PARTITION BY asked.organization ORDER BY asked.item
            ) AS stop
        FROM ledger_asked(p_spends, p_api_key) asked
        LEFT JOIN credits_action a ON a.code = asked.action AND a.is_active
    ),
    wanted AS (
        SELECT asked.organization, sum(asked.total) AS credits, min(asked.total) AS least
        FROM asked
        LEFT JOIN credits_apikey k ON k.id = asked.api_key
        GROUP BY asked.organization
        HAVING count(asked.action_id) = count(*) AND count(k.id) = count(asked.api_key)
            AND count(DISTINCT asked.key) = count(asked.key)
            -- Not as a join, which of a table that just began would read it all.
            AND NOT bool_or(EXISTS (
                SELECT FROM credits_spend s
                WHERE s.organization_id = asked.organization AND s.idempotency_key = asked.key
            ))
    ),
    lines AS MATERIALIZED (
        SELECT w.organization_id AS organization, w.entry_seq, moment.at, g.*,
            g.available - wanted.credits >= greatest(
                CASE WHEN o.show_balance AND w.low_at IS NULL THEN o.low_balance_credits END, 1
            ) AS is_rich,
            coalesce(g.available, 0) < wanted.least AND (
                o.weekly_credits = 0 AND w.out_of_credits_at IS NOT NULL
                OR w.out_of_credits_at >= ledger_midnight(ledger_week(moment.at))
            ) AS is_poor
        FROM wanted
        JOIN credits_wallet w ON w.organization_id = wanted.organization
        JOIN credits_organization o ON o.id = w.organization_id
        CROSS JOIN LATERAL (SELECT greatest(p_now, w.last_entry_at) AS at) moment
        CROSS JOIN LATERAL ledger_due(
            w.organization_id, w.bundle_week, o.weekly_credits, moment.at
        ) due
        LEFT JOIN LATERAL (
            SELECT g.id AS grant_id, g.kind, sum(g.remaining) OVER () AS available,
                sum(g.remaining) OVER burn_down - g.remaining AS start,
                sum(g.remaining) OVER burn_down AS stop
            FROM ledger_spendable(w.organization_id, moment.at) g
            WINDOW burn_down AS (
                ORDER BY g.priority, g.expires_at NULLS LAST, g.created_at, g.id
            )
        ) g ON true
        WHERE o.suspended_at IS NULL AND NOT due.is_due
    ),
    parts AS MATERIALIZED (
        SELECT s.*, g.at, g.grant_id, g.available - s.stop AS balance,
            least(s.stop, g.stop) - greatest(s.stop - s.total, g.start) AS part,
            g.stop - least(s.stop, g.stop) AS remaining,
            g.entry_seq + row_number() OVER (
                PARTITION BY s.organization ORDER BY s.item, g.start
            ) AS seq,
            row_number() OVER one_spend AS number,
            jsonb_agg(ledger_part(
                g.grant_id, g.kind,
                (least(s.stop, g.stop) - greatest(s.stop - s.total, g.start))::bigint
            )) OVER (one_spend ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS drawn
        FROM asked s
        JOIN lines g USING (organization)
        WHERE g.is_rich AND g.start < s.stop AND s.stop - s.total < g.stop
        WINDOW one_spend AS (PARTITION BY s.organization, s.item ORDER BY g.start)
    ),
    wallets AS (
        UPDATE credits_wallet w
        SET entry_seq = p.seq, last_entry_at = p.at, used_since_refill = true,
            bundle_week = greatest(w.bundle_week, ledger_week(p.at))
        FROM (
            SELECT organization, max(seq) AS seq, max(at) AS at FROM parts GROUP BY organization
        ) p
        WHERE w.organization_id = p.organization
    ),
    grants AS (
        UPDATE credits_grant g SET remaining = p.remaining
        FROM (SELECT grant_id, min(remaining) AS remaining FROM parts GROUP BY grant_id) p
        WHERE g.id = p.grant_id
    ),
    made AS (
        INSERT INTO credits_spend (
            id, organization_id, api_key_id, action_id, quantity, unit_credits, credits, status,
            balance_after, reference, idempotency_key, created_at
        )
        SELECT id, organization, api_key, action_id, quantity, price, total, 'spent', balance,
            reference, key, at
        FROM parts WHERE number = 1
    ),
    entries AS (
        INSERT INTO credits_entry (
            organization_id, seq, grant_id, kind, credits, remaining_after, spend_id, created_at
        )
        SELECT organization, seq, grant_id, 'spend', -part, remaining, id, at
        FROM parts ORDER BY organization, seq
    )
    SELECT asked.item,
        CASE WHEN made.id IS NOT NULL THEN 'created'
            WHEN poor.organization IS NOT NULL THEN 'out_of_credits' END,
        made.id, asked.price, asked.total, made.drawn,
        coalesce(made.balance, poor.available)::bigint, coalesce(made.at, poor.at)
    FROM asked
    LEFT JOIN parts made ON made.item = asked.item AND made.number = 1
    LEFT JOIN (
        SELECT DISTINCT organization, coalesce(available, 0) AS available, at
        FROM lines WHERE is_poor
    ) poor ON poor.organization = asked.organization;
END $$;

-- The spends of requests that arrive together, in one round trip and one commit: look up the keys,
-- see what each may do, as credits/access.py has it, and spend. p_spends is an array of requests:
-- {"secret": SHA-256 of the API key in hex, "organization": public id or null, "action": code,
-- "quantity": n, "reference": text, "key": idempotency key or null}, or a batch of such spends with
-- one secret, {"secret": ..., "spends": [{"organization": ..., ...}, ...]}. `item` is the position
-- of a spend among all of them, from 0.
--
-- outcome: created, replayed or out_of_credits, as of ledger_spend; or `other`, where nothing was
-- done for the whole request, and whoever asks alone is told why. `organization` is its public id,
-- `api_key` the key that was used, last at `key_used_at`.
--
-- Of a batch either all spends have one of those three outcomes or none is made. Where only the
-- spending itself finds that one has not, the call fails with transaction_rollback.
CREATE OR REPLACE FUNCTION ledger_spend_group(
    p_spends jsonb, p_now timestamptz, p_lock_timeout text DEFAULT '500ms'
)
RETURNS TABLE (
    item integer, outcome text, api_key bigint, key_used_at timestamptz, organization text,
    shows_balance boolean, weekly_credits bigint, spend uuid, price integer, total bigint,
    drawn jsonb, balance bigint, at timestamptz
)
LANGUAGE plpgsql
-- As in batches.sql.
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    -- A wallet that somebody else keeps locked must not hold up everybody.
    PERFORM set_config('lock_timeout', p_lock_timeout, true);
    RETURN QUERY
    WITH requests AS MATERIALIZED (
        SELECT ordinality AS request, decode(value ->> 'secret', 'hex') AS secret,
            value ? 'spends' AS is_batch,
            coalesce(value -> 'spends', jsonb_build_array(value)) AS spends,
            coalesce(jsonb_array_length(value -> 'spends'), 1) AS size
        FROM jsonb_array_elements(p_spends) WITH ORDINALITY
    ),
    keys AS MATERIALIZED (
        SELECT k.*, EXISTS (
                SELECT FROM credits_apikey_allowed_actions l WHERE l.apikey_id = k.id
            ) AS is_restricted
        FROM credits_apikey k
        WHERE k.secret_sha256 = ANY (ARRAY(SELECT secret FROM requests))
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > p_now)
    ),
    asked AS MATERIALIZED (
        SELECT (row_number() OVER (ORDER BY r.request, s.ordinality) - 1)::integer AS item,
            r.request, r.is_batch, r.size, r.secret, s.*
        FROM requests r
        CROSS JOIN LATERAL ROWS FROM (
            jsonb_to_recordset(r.spends) AS (
                organization text, action text, quantity integer, reference text, key text
            )
        ) WITH ORDINALITY AS s
    ),
    allowed AS (
        SELECT asked.*, k.id AS api_key, k.last_used_at, o.id AS organization_id, o.public_id,
            o.show_balance, o.weekly_credits,
            count(*) OVER (PARTITION BY asked.request) >= asked.size AS is_whole
        FROM asked
        JOIN keys k ON k.secret_sha256 = asked.secret
        CROSS JOIN LATERAL (
            SELECT * FROM credits_organization own
            WHERE own.id = k.organization_id
                AND own.public_id = coalesce(asked.organization, own.public_id)
            UNION ALL
            SELECT * FROM credits_organization named
            WHERE k.organization_id IS NULL AND named.public_id = asked.organization
        ) o
        JOIN credits_action a ON a.code = asked.action AND a.is_active AND o.suspended_at IS NULL
            AND (k.service_id IS NULL OR a.service_id = k.service_id)
            AND (NOT k.is_restricted OR EXISTS (
                SELECT FROM credits_apikey_allowed_actions l
                WHERE l.apikey_id = k.id AND l.action_id = a.id
            ))
    ),
    sent AS MATERIALIZED (
        SELECT allowed.*, row_number() OVER (ORDER BY item) - 1 AS position
        FROM allowed WHERE is_whole
    ),
    made AS MATERIALIZED (
        SELECT * FROM ledger_spend_batch(
            (
                SELECT jsonb_agg(
                    jsonb_build_object(
                        'organization', organization_id, 'api_key', api_key, 'action', action,
                        'quantity', quantity, 'reference', reference, 'key', key
                    )
                    ORDER BY position
                )
                FROM sent
            ),
            NULL, p_now
        )
    )
    SELECT asked.item,
        CASE WHEN made.outcome IN ('created', 'replayed', 'out_of_credits') THEN made.outcome
            WHEN sent.is_batch THEN ledger_undo() ELSE 'other' END,
        sent.api_key, sent.last_used_at, sent.public_id::text, sent.show_balance,
        sent.weekly_credits, made.spend, made.price, made.total, made.drawn, made.balance, made.at
    FROM asked
    LEFT JOIN sent USING (item)
    LEFT JOIN made ON made.item = sent.position
    ORDER BY asked.item;
END $$;

-- Undoes the call that it is part of.
CREATE OR REPLACE FUNCTION ledger_undo() RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RAISE transaction_rollback USING MESSAGE = 'a batch has a spend that is neither made nor short';
END $$;

-- The spends of requests that arrive together, in one round trip and one commit: look up the keys,
-- see what each may do, as credits/access.py has it, and spend. p_spends is an array of
-- {"secret": SHA-256 of the API key in hex, "organization": public id or null, "action": code,
-- "quantity": n, "reference": text, "key": idempotency key or null}; `item` is the position in it,
-- from 0.
--
-- outcome: created, replayed or out_of_credits, as of ledger_spend; or `other`, where nothing was
-- done and whoever asks alone is told why. `organization` is its public id, `api_key` the key that
-- was used, last at `key_used_at`.
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
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    -- A wallet that somebody else keeps locked must not hold up everybody.
    PERFORM set_config('lock_timeout', p_lock_timeout, true);
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT (ordinality - 1)::integer AS item, value AS spend,
            decode(value ->> 'secret', 'hex') AS secret, value ->> 'organization' AS organization,
            value ->> 'action' AS action
        FROM jsonb_array_elements(p_spends) WITH ORDINALITY
    ),
    keys AS MATERIALIZED (
        SELECT k.*, EXISTS (
                SELECT FROM credits_apikey_allowed_actions l WHERE l.apikey_id = k.id
            ) AS is_restricted
        FROM credits_apikey k
        WHERE k.secret_sha256 = ANY (ARRAY(SELECT DISTINCT secret FROM asked))
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > p_now)
    ),
    allowed AS MATERIALIZED (
        SELECT asked.item, asked.spend, row_number() OVER (ORDER BY asked.item) - 1 AS position,
            k.id AS api_key, k.last_used_at, o.id AS organization, o.public_id, o.show_balance,
            o.weekly_credits
        FROM asked
        JOIN keys k ON k.secret_sha256 = asked.secret
        JOIN credits_organization o ON o.id = coalesce(k.organization_id, (
                SELECT named.id FROM credits_organization named
                WHERE named.public_id = asked.organization
            ))
            AND o.public_id = coalesce(asked.organization, o.public_id)
        JOIN credits_action a ON a.code = asked.action
            AND (k.service_id IS NULL OR a.service_id = k.service_id)
            AND (NOT k.is_restricted OR EXISTS (
                SELECT FROM credits_apikey_allowed_actions l
                WHERE l.apikey_id = k.id AND l.action_id = a.id
            ))
    ),
    made AS MATERIALIZED (
        SELECT made.* FROM ledger_spend_batch(
            (
                SELECT jsonb_agg(
                    spend || jsonb_build_object('organization', organization, 'api_key', api_key)
                    ORDER BY position
                )
                FROM allowed
            ),
            NULL, p_now
        ) made
        WHERE made.outcome IN ('created', 'replayed', 'out_of_credits')
    )
    SELECT asked.item, coalesce(made.outcome, 'other'), allowed.api_key, allowed.last_used_at,
        allowed.public_id::text, allowed.show_balance, allowed.weekly_credits, made.spend,
        made.price, made.total, made.drawn, made.balance, made.at
    FROM asked
    LEFT JOIN allowed USING (item)
    LEFT JOIN made ON made.item = allowed.position
    ORDER BY asked.item;
END $$;

-- Organizations that spend this week. `world` is one row: how many organizations, how many spends
-- each has made, each how-manieth has credits beyond its bundle, and the moment `now`. Triggers are off.
INSERT INTO credits_organization (id, public_id, name, weekly_credits, show_balance, created_at)
SELECT i, 'org_' || substr(md5('organization ' || i), 1, 16), 'Organization ' || i, bundle, false,
    week - interval '30 days'
FROM world, generate_series(1, organizations) AS i;

-- Secrets as credits.key_secrets makes them, but known.
CREATE FUNCTION bench_secret(p_prefix text, p_of bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT body || lpad(to_hex(crc32(convert_to(body, 'UTF8'))), 8, '0')
    FROM (VALUES (p_prefix || md5(p_of::text))) AS made (body)
$$;

INSERT INTO credits_apikey (id, name, organization_id, prefix, secret_sha256, created_at)
SELECT i, 'Shop', i, left(secret, 12), sha256(convert_to(secret, 'UTF8')),
    week - interval '30 days'
FROM world, generate_series(1, organizations) AS i,
    LATERAL bench_secret('ck_org_', i) AS key (secret);

INSERT INTO credits_wallet (
    organization_id, entry_seq, last_entry_at, bundle_week, used_since_refill
)
SELECT i, spends + CASE WHEN i % top_up_every = 0 THEN 2 ELSE 1 END,
    CASE WHEN spends = 0 THEN week ELSE now END, week::date, spends > 0
FROM world, generate_series(1, organizations) AS i;

-- Of each bundle that much is left; what the next week's refill lets lapse.
INSERT INTO credits_grant (
    organization_id, kind, priority, amount, remaining, starts_at, expires_at, week, created_at
)
SELECT i, 'weekly', 10, bundle, bundle - spends, week, week + interval '7 days', week::date, week
FROM world, generate_series(1, organizations) AS i;

-- Spent after the bundle and never expiring like a top-up, which would need its payment, too.
INSERT INTO credits_grant (
    organization_id, kind, priority, amount, remaining, starts_at, created_at
)
SELECT i, 'staff', 20, 1000000000, 1000000000, week, week
FROM world, generate_series(top_up_every, organizations, top_up_every) AS i;

INSERT INTO credits_entry (
    organization_id, seq, grant_id, kind, credits, remaining_after, created_at
)
SELECT organization_id, CASE kind WHEN 'weekly' THEN 1 ELSE 2 END, id, 'grant', amount, amount,
    created_at
FROM credits_grant ORDER BY priority, organization_id;

-- By turns, as they would have come, so that an organization's rows lie far apart.
CREATE TEMP TABLE use ON COMMIT DROP AS
SELECT uuidv7(at - clock_timestamp()) AS id, organization_id, bundle - nth AS left_in_bundle,
    w.entry_seq - spends + nth AS seq, at,
    bundle - nth + CASE WHEN organization_id % top_up_every = 0 THEN 1000000000 ELSE 0 END AS balance
FROM world, generate_series(1, spends) AS nth,
    LATERAL (SELECT week + (now - week) * nth / spends AS at) AS moment,
    credits_wallet w;
ANALYZE use;

INSERT INTO credits_spend (
    id, organization_id, api_key_id, action_id, quantity, unit_credits, credits, status,
    balance_after, reference, idempotency_key, created_at
)
SELECT use.id, organization_id, organization_id, a.id, 1, 1, 1, 'spent', balance, '',
    md5(use.id::text)::uuid::text, at
FROM use, credits_action a WHERE a.code = 'alt-text.generate';

INSERT INTO credits_entry (
    organization_id, seq, grant_id, kind, credits, remaining_after, spend_id, created_at
)
SELECT use.organization_id, seq, g.id, 'spend', -1, left_in_bundle, use.id, at
FROM use JOIN credits_grant g ON g.organization_id = use.organization_id AND g.kind = 'weekly';

SELECT setval(pg_get_serial_sequence('credits_organization', 'id'), organizations),
    setval(pg_get_serial_sequence('credits_apikey', 'id'), organizations)
FROM world;

-- Grants, and how much of them is used; amounts follow when the spends are known.
CREATE TEMP TABLE plan ON COMMIT DROP AS
SELECT *, row_number() OVER (ORDER BY credits) AS position FROM (
    VALUES ('Bench 1,000', 1000, 19), ('Bench 10,000', 10000, 150), ('Bench 100,000', 100000, 990)
) AS offered (name, credits, price);
INSERT INTO topups_plan (name, credits, is_active, position)
SELECT name, credits, true, 10 + position FROM plan;
INSERT INTO topups_price (plan_id, currency, amount_minor)
SELECT p.id, currency, price * rate
FROM plan JOIN topups_plan p USING (name), (VALUES ('usd', 100), ('eur', 92), ('jpy', 150))
    AS money (currency, rate);

CREATE TEMP TABLE new_purchase ON COMMIT DROP AS
SELECT uuidv7(at - clock_timestamp()) AS id, bought.*,
    CASE WHEN organization_id = 1 THEN 'paid' WHEN fate < 0.75 THEN 'paid'
        WHEN fate < 0.93 THEN 'expired' WHEN fate < 0.985 THEN 'failed'
        WHEN fate < 0.995 THEN 'pending' ELSE 'processing' END AS status,
    (ARRAY['usd', 'usd', 'usd', 'eur', 'jpy'])[1 + organization_id % 5] AS currency
FROM (
    SELECT organization_id, fate, random() AS share, CASE WHEN fate >= 0.985
        THEN now - interval '20 hours' * random()
        ELSE greatest(o.created_at, since) + (now - interval '1 hour' - greatest(o.created_at, since))
            * random() END AS at
    FROM (
        SELECT 2 + floor((organizations - 1) * random() ^ 2)::bigint AS organization_id, random() AS fate
        FROM size, generate_series(1, purchases)
        UNION ALL
        SELECT 1, 0.1 FROM generate_series(1, 40)
    ) AS drawn
    JOIN credits_organization o ON o.id = organization_id, size
) AS bought;

CREATE TEMP TABLE new_grant ON COMMIT DROP AS
WITH weekly AS (
    SELECT DISTINCT organization_id, week FROM (
        SELECT 2 + floor((organizations - 1) * random() ^ 2)::bigint AS organization_id,
            since::date + 7 * floor(random() * weeks)::int AS week
        FROM size, generate_series(1, organizations * 85 / 100)
        UNION ALL
        SELECT 1, since::date + 7 * i FROM size, generate_series(0, weeks - 1) AS i
    ) AS drawn
), opened AS (
    SELECT organization_id, 'weekly' AS kind, week, NULL::uuid AS purchase_id, 'usd' AS currency,
        week::timestamptz AS starts_at, week::timestamptz + interval '7 days' AS expires_at,
        least(week::timestamptz + interval '2 days' * random(), now - interval '30 minutes')
            AS opens_at,
        least(week::timestamptz + interval '7 days', now) - interval '20 minutes' AS closes_at,
        random() AS fate
    FROM weekly, size
    UNION ALL
    SELECT organization_id, 'top_up', NULL, id, currency, at, NULL, at, now - interval '20 minutes',
        fate
    FROM new_purchase, size WHERE status = 'paid'
    UNION ALL
    SELECT organization_id, 'staff', NULL, NULL, 'usd', at, CASE WHEN fate < 0.3
        THEN at + interval '30 days' END, at,
        least(CASE WHEN fate < 0.3 THEN at + interval '30 days' END, now) - interval '20 minutes',
        fate
    FROM (
        SELECT 2 + floor((organizations - 1) * random())::bigint AS organization_id, random() AS fate,
            since + (now - since - interval '1 hour') * random() AS at
        FROM size, generate_series(1, organizations / 50)
    ) AS drawn, size
)
SELECT uuidv7(opens_at - clock_timestamp()) AS id, opened.*, CASE
        WHEN organization_id = 1 AND kind = 'top_up' THEN spends / 320
        -- Few use a lot: drawn from an exponential distribution.
        ELSE least(floor(-ln(1 - random()) * CASE kind WHEN 'top_up' THEN 0.5 + 3.0 * spends / 8 / bought
            WHEN 'weekly' THEN 0.5 + 3.9 * spends / 8 / given ELSE 5 END), spends / 4) END AS uses
FROM opened, size,
    (SELECT count(*) FILTER (WHERE kind = 'weekly') AS given,
        greatest(count(*) FILTER (WHERE kind = 'top_up'), 1) AS bought FROM opened) AS counts;
ANALYZE new_grant;
ANALYZE new_purchase;

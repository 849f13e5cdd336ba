-- What was spent, what came of it, and the entries that explain every grant.
CREATE TEMP TABLE new_spend ON COMMIT DROP AS
SELECT uuidv7(at - clock_timestamp()) AS id, used.*, quantity * price AS credits,
    at + interval '15 minutes' * (0.01 + share * 0.98) AS settled_at,
    CASE WHEN fate = 'captured' AND share < 0.4 THEN quantity * price / 2
        WHEN fate IN ('released', 'expired') THEN quantity * price ELSE 0 END AS released,
    CASE WHEN fate <> 'refunded' THEN 0 WHEN share < 0.5 THEN quantity * price
        ELSE greatest(quantity * price / 2, 1) END AS refunded
FROM (
    SELECT grant_id, organization_id, at, quantity, a.id AS action_id, a.credits AS price, share,
        CASE WHEN chance < 0.010 THEN 'captured' WHEN chance < 0.014 THEN 'released'
            WHEN chance < 0.016 THEN 'expired' WHEN chance < 0.026 THEN 'refunded'
            -- Only what is open still can be held.
            WHEN chance < 0.0262 AND is_last THEN 'held' ELSE 'spent' END AS fate
    FROM (
        SELECT g.id AS grant_id, organization_id, closes_at > now - interval '1 hour' AS is_last,
            opens_at + (closes_at - opens_at) * (0.00001 + random() * 0.99998) AS at,
            1 + floor(random() ^ 3 * 4)::int AS quantity, random() AS chance, random() AS share,
            1 + floor(random() ^ 2 * 4)::int AS choice
        FROM new_grant g, size, generate_series(1, uses::int)
    ) AS drawn
    JOIN (SELECT *, row_number() OVER (ORDER BY id) AS choice FROM credits_action) a USING (choice)
) AS used;
ANALYZE new_spend;

-- What is held now was set aside minutes ago.
UPDATE new_spend s SET at = late.at, id = uuidv7(late.at - clock_timestamp())
FROM (
    SELECT id, now - interval '19 minutes' * random() AS at FROM new_spend, size
    WHERE fate = 'held'
) AS late
WHERE s.id = late.id;

CREATE TEMP TABLE filled ON COMMIT DROP AS
SELECT g.*, CASE kind
        WHEN 'top_up' THEN coalesce((SELECT min(credits) FROM plan WHERE credits >= taken), taken)
        -- Some are used to the last credit.
        ELSE CASE WHEN taken > 0 AND fate > 0.9 THEN taken ELSE greatest(ceil(taken / 50.0) * 50, 50)
            END END::bigint AS amount
FROM (
    SELECT g.*, coalesce(taken, 0) AS taken, coalesce(kept, 0) AS kept,
        greatest(opens_at, last_at) AS last_at
    FROM new_grant g LEFT JOIN (
        SELECT grant_id, sum(credits) AS taken, sum(credits - released - refunded) AS kept,
            max(greatest(at, settled_at)) AS last_at
        FROM new_spend GROUP BY grant_id
    ) AS used ON used.grant_id = g.id
) AS g;
CREATE UNIQUE INDEX ON filled (id);

-- Whose money went back: all of it, half, lost to the bank or in dispute.
CREATE TEMP TABLE clawed ON COMMIT DROP AS
SELECT id, organization_id, purchase_id, fate, amount, target, least(target, amount - kept) AS taken,
    CASE WHEN fate < 0.045 THEN 'revoke' ELSE 'freeze' END AS kind, last_at + interval '1 minute' AS at
FROM (
    SELECT *, CASE WHEN fate < 0.030 OR fate >= 0.040 THEN amount ELSE amount / 2 END AS target
    FROM filled WHERE kind = 'top_up' AND fate < 0.048
) AS back
-- Where something is set aside still, the money stays.
WHERE id NOT IN (SELECT grant_id FROM new_spend WHERE fate = 'held');

CREATE TEMP TABLE move ON COMMIT DROP AS
SELECT organization_id, id AS grant_id, NULL::uuid AS spend_id, 'grant' AS kind,
    amount::bigint AS credits, opens_at AS at, 0 AS step
FROM filled
UNION ALL
SELECT organization_id, grant_id, id,
    CASE WHEN fate IN ('spent', 'refunded') THEN 'spend' ELSE 'hold' END, -credits, at, 1
FROM new_spend
UNION ALL
SELECT organization_id, grant_id, id, 'release', credits, settled_at, 2
FROM new_spend WHERE fate IN ('captured', 'released', 'expired')
UNION ALL
SELECT organization_id, grant_id, id, 'spend', released - credits, settled_at, 3
FROM new_spend WHERE fate = 'captured'
UNION ALL
SELECT organization_id, grant_id, id, 'refund', refunded, settled_at, 2
FROM new_spend WHERE fate = 'refunded'
UNION ALL
SELECT organization_id, id, NULL, kind, -taken::bigint, at, 4 FROM clawed WHERE taken > 0
UNION ALL
SELECT organization_id, id, NULL, 'expire', kept - amount, expires_at + interval '5 seconds', 5
FROM filled, size WHERE expires_at < now - interval '1 minute' AND amount > kept;

ANALYZE filled;
ANALYZE move;

-- Some spend all they have left of this week's bundle.
INSERT INTO new_spend (
    id, organization_id, grant_id, at, quantity, action_id, price, credits, fate, released,
    refunded, share
)
SELECT uuidv7(at - clock_timestamp()), drained.organization_id, grant_id, at, left_now, a.id, a.credits,
    left_now * a.credits, 'spent', 0, 0, 0
FROM (
    SELECT organization_id, min(grant_id::text)::uuid AS grant_id, sum(credits)::int AS left_now,
        greatest(max(at), now - interval '19 minutes') + interval '1 second' AS at
    FROM move, size GROUP BY organization_id, now
    HAVING sum(credits) BETWEEN 1 AND 1000 AND count(DISTINCT grant_id) = 1
        AND max(at) > now - interval '6 days' AND organization_id % 5 = 0
) AS drained
JOIN filled f ON f.id = grant_id AND f.kind = 'weekly' AND f.expires_at > at
JOIN (SELECT * FROM credits_action WHERE credits = 1 ORDER BY id LIMIT 1) a ON true
WHERE grant_id NOT IN (SELECT grant_id FROM new_spend WHERE fate = 'held');
INSERT INTO move
SELECT organization_id, grant_id, id, 'spend', -credits, at, 6 FROM new_spend
WHERE settled_at IS NULL;

CREATE TEMP TABLE line ON COMMIT DROP AS
SELECT *, sum(credits) OVER (PARTITION BY grant_id ORDER BY seq) AS remaining_after
FROM (
    SELECT *, row_number() OVER told AS seq, sum(credits) OVER told AS balance
    FROM move
    WINDOW told AS (PARTITION BY organization_id ORDER BY at, step, grant_id, spend_id
        ROWS UNBOUNDED PRECEDING)
) AS numbered;
ANALYZE line;

-- From what was drawn to the rows of the ledger, in the order of time as they would have come.
INSERT INTO credits_wallet (organization_id, entry_seq, last_entry_at, bundle_week, used_since_refill)
SELECT o.id, coalesce(seq, 0), last_at, bundle_week, 
    coalesce(bundle_week = date_trunc('week', now)::date AND used, false)
FROM size, credits_organization o
LEFT JOIN (
    SELECT l.organization_id, max(seq) AS seq, max(at) AS last_at,
        bool_or(l.kind IN ('spend', 'hold') AND at >= date_trunc('week', now)) AS used
    FROM line l, size GROUP BY l.organization_id
) AS e ON e.organization_id = o.id
LEFT JOIN (SELECT organization_id, max(week) AS bundle_week FROM filled GROUP BY organization_id)
    AS g ON g.organization_id = o.id
ORDER BY o.id;

INSERT INTO credits_grant (
    id, organization_id, kind, priority, amount, remaining, starts_at, expires_at, week,
    purchase_id, created_at
)
SELECT f.id, f.organization_id, f.kind, CASE f.kind WHEN 'weekly' THEN 10 ELSE 20 END, amount,
    remaining, starts_at, expires_at, week, purchase_id, opens_at
FROM filled f JOIN (SELECT grant_id, sum(credits) AS remaining FROM move GROUP BY grant_id) AS m
    ON m.grant_id = f.id
ORDER BY opens_at;

INSERT INTO credits_clawback (
    grant_id, revoke_credits, freeze_credits, revoked_credits, frozen_credits, updated_at
)
SELECT id, CASE kind WHEN 'revoke' THEN target ELSE 0 END,
    CASE kind WHEN 'freeze' THEN target ELSE 0 END, CASE kind WHEN 'revoke' THEN taken ELSE 0 END,
    CASE kind WHEN 'freeze' THEN taken ELSE 0 END, at
FROM clawed;

INSERT INTO credits_spend (
    id, organization_id, api_key_id, action_id, quantity, unit_credits, credits, released_credits,
    refunded_credits, status, hold_expires_at, balance_after, reference, idempotency_key, created_at
)
SELECT s.id, s.organization_id, CASE WHEN s.organization_id % 2 = 0 THEN s.organization_id / 2
        ELSE organizations + a.service_id END,
    action_id, quantity, price, s.credits, released, refunded,
    CASE fate WHEN 'captured' THEN 'spent' WHEN 'refunded' THEN 'spent' ELSE fate END,
    CASE WHEN fate NOT IN ('spent', 'refunded') THEN s.at + interval '15 minutes' END, balance,
    CASE WHEN share < 0.6 THEN 'asset-' || floor(share * 1e7)::int ELSE '' END,
    CASE WHEN share > 0.05 THEN md5(s.id::text)::uuid::text END, s.at
FROM new_spend s
JOIN line l ON l.spend_id = s.id AND l.at = s.at AND l.kind IN ('spend', 'hold')
JOIN credits_action a ON a.id = action_id, size
ORDER BY s.at;

INSERT INTO credits_refund (
    id, spend_id, organization_id, credits, requested_credits, refunded_after, created_at
)
SELECT uuidv7(settled_at - clock_timestamp()), id, organization_id, refunded, refunded, refunded,
    settled_at
FROM new_spend WHERE fate = 'refunded' ORDER BY settled_at;

INSERT INTO credits_entry (
    organization_id, seq, grant_id, kind, credits, remaining_after, spend_id, actor_id, reason,
    adjustment_id, created_at
)
SELECT l.organization_id, seq, grant_id, l.kind, credits, remaining_after, spend_id,
    CASE WHEN by_staff THEN organizations + 1 + seq % 20 END,
    CASE WHEN by_staff THEN (ARRAY['Goodwill', 'Service was down', 'Trial'])[1 + seq % 3] ELSE '' END,
    CASE WHEN by_staff THEN grant_id END, at
FROM line l JOIN filled f ON f.id = grant_id, size,
    LATERAL (SELECT f.kind = 'staff' AND l.kind = 'grant') AS maker (by_staff)
ORDER BY at;

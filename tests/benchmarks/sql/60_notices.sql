-- Who was out of credits and got new ones, and who is out or low now.
CREATE TEMP TABLE short ON COMMIT DROP AS
SELECT s.organization_id, max(s.at) AS at
FROM new_spend s WHERE settled_at IS NULL GROUP BY s.organization_id;
UPDATE credits_wallet w SET out_of_credits_at = at FROM short WHERE short.organization_id = w.organization_id;

CREATE TEMP TABLE scarce ON COMMIT DROP AS
SELECT w.organization_id, w.last_entry_at AS at
FROM credits_wallet w JOIN credits_organization o ON o.id = w.organization_id, size
WHERE o.low_balance_credits IS NOT NULL AND used_since_refill AND out_of_credits_at IS NULL;
UPDATE credits_wallet w SET low_at = at FROM scarce WHERE scarce.organization_id = w.organization_id;

-- Of those who bought once, so that being out and being refilled take turns.
CREATE TEMP TABLE bought_once ON COMMIT DROP AS
SELECT organization_id, min(opens_at) AS at, min(amount) AS credits FROM filled
WHERE kind = 'top_up' GROUP BY organization_id HAVING count(*) = 1;

INSERT INTO credits_notice (
    organization_id, kind, available_credits, occurred_at, ended_at, told_at, emails
)
SELECT organization_id, kind, credits, at, ended_at, at + interval '4 seconds', 1
FROM (
    SELECT organization_id, 'out_of_credits' AS kind, 0 AS credits, at - interval '1 hour' AS at,
        at AS ended_at
    FROM bought_once
    UNION ALL
    SELECT organization_id, 'refilled', credits, at, NULL FROM bought_once
    UNION ALL
    SELECT organization_id, 'out_of_credits', 0, at, NULL FROM short
    UNION ALL
    SELECT organization_id, 'low', 3, at, NULL FROM scarce
) AS told
ORDER BY at;

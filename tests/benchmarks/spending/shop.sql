-- Besides the world: a service's key, organizations without credits, and the row of a bare commit.
INSERT INTO credits_apikey (name, service_id, prefix, secret_sha256, created_at)
SELECT 'Extension', service_id, left(secret, 12), sha256(convert_to(secret, 'UTF8')), now()
FROM credits_action, bench_secret('ck_svc_', 1) AS key (secret)
WHERE code = 'alt-text.generate';

WITH poor AS (
    INSERT INTO credits_organization (public_id, name, weekly_credits, show_balance, created_at)
    SELECT 'org_' || substr(md5('poor ' || i), 1, 16), 'Out of credits', 0, false, now()
    FROM generate_series(1, 1000) AS i
    RETURNING id
)
INSERT INTO credits_apikey (name, organization_id, prefix, secret_sha256, created_at)
SELECT 'Shop', id, left(secret, 12), sha256(convert_to(secret, 'UTF8')), now()
FROM poor, LATERAL bench_secret('ck_org_', id) AS key (secret);

CREATE TABLE bare (v integer);
VACUUM ANALYZE;

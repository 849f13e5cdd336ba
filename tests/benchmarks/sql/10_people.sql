-- Organizations and who is in them. `size` is one row: organizations, spends, purchases, the moment
-- `now` and the Monday `since` when the ledger begins.
CREATE TEMP TABLE words ON COMMIT DROP AS SELECT
    string_to_array('Acme Northwind Bright Harbor Cedar Maple Silver Golden Blue Green Red Nordic '
        'Alpine Coastal Urban Rustic Modern Vintage Summit Valley River Lake Forest Meadow Stone '
        'Iron Copper Crystal Velvet Linen Cotton Amber Coral Indigo Ivory Lunar Solar Polar Prime '
        'Swift Noble Royal Grand Little Happy Lucky Clever Honest True First Central Metro Atlas '
        'Orion Vega Nova Terra Aqua Luna Zephyr Quartz', ' ') AS fronts,
    string_to_array('Studio Outdoor Garden Kitchen Home Fashion Shoes Jewelry Sports Toys Books '
        'Music Travel Coffee Bakery Pet Beauty Health Fitness Furniture Lighting Textiles Ceramics '
        'Tools Bikes Optics Watches Paper Wine Tea Cheese Flowers', ' ') AS middles,
    string_to_array('Ltd Inc GmbH Group Shop Store Market Supply Works House Collective Partners '
        'Company Traders Outfitters Boutique Depot Gallery', ' ') AS ends,
    string_to_array('Ada Ben Chloe David Elena Farid Grace Hugo Ines Jonas Kira Liam Mina Noah '
        'Olga Paul Quinn Rosa Sami Tara Umar Vera Will Xenia Yara Zoe', ' ') AS firsts,
    string_to_array('Adams Baker Costa Diaz Evans Fischer Garcia Hansen Ito Jensen Kumar Lopez '
        'Meyer Novak Olsen Patel Quist Rossi Silva Tanaka Ueda Vogel Wagner Xu Young Zhang', ' ')
        AS lasts;

CREATE TEMP TABLE new_organization ON COMMIT DROP AS
SELECT i AS id, fronts[1 + floor(front * cardinality(fronts))] AS front,
    middles[1 + floor(middle * cardinality(middles))] AS middle,
    ends[1 + floor(finish * cardinality(ends))] AS finish,
    firsts[1 + floor(first * cardinality(firsts))] AS first_name,
    lasts[1 + floor(last * cardinality(lasts))] AS last_name,
    -- A few have a word of their own, as most organizations of the world do.
    CASE WHEN special < 0.3 THEN initcap(translate(substr(md5(i::text), 1, 7), '0123456789',
        'aeiourstln')) || ' ' ELSE '' END AS own_word,
    since - interval '540 days' + (now - since + interval '540 days') * i / (organizations + 1)
        AS created_at,
    chance
FROM (
    SELECT i, random() AS front, random() ^ 1.5 AS middle, random() AS finish, random() AS first,
        random() AS last, random() AS special, random() AS chance
    FROM size, generate_series(1, organizations) AS i
) AS drawn, words, size;
ANALYZE new_organization;

INSERT INTO credits_organization (
    id, public_id, name, weekly_credits, show_balance, low_balance_credits, suspended_at, created_at
)
SELECT id, 'org_' || substr(md5('organization ' || id), 1, 16),
    CASE id WHEN 1 THEN 'Metropolis Media Group'
        ELSE own_word || front || ' ' || middle || ' ' || finish END,
    CASE WHEN chance < 0.02 THEN 0 WHEN chance < 0.05 THEN 200 ELSE 50 END,
    chance < 0.3, CASE WHEN chance < 0.2 THEN 10 END,
    CASE WHEN chance > 0.999 AND id > 1 THEN now - interval '60 days' * (1 - chance) * 1000 END,
    created_at
FROM new_organization, size;

INSERT INTO credits_user (
    id, password, last_login, is_superuser, first_name, last_name, is_staff, is_active,
    date_joined, email
)
SELECT id, '!', CASE WHEN chance < 0.6 THEN now - (now - created_at) * chance END, false,
    first_name, last_name, false, chance < 0.98, created_at,
    lower(first_name || '.' || last_name || id || '@' || front || '-' || middle || '.example')
FROM new_organization, size;
INSERT INTO credits_user (
    id, password, is_superuser, first_name, last_name, is_staff, is_active, date_joined, email
)
SELECT organizations + i, '!', i = 1, 'Staff', i::text, true, true, since,
    'staff' || i || '@credits.example'
FROM size, generate_series(1, 20) AS i;

INSERT INTO credits_membership (organization_id, user_id, role, created_at)
SELECT id, id, 'owner', created_at FROM new_organization
UNION ALL
SELECT id, 1 + (id * 7919) % organizations, 'member', created_at
FROM new_organization, size WHERE chance < 0.1 AND 1 + (id * 7919) % organizations <> id
ORDER BY created_at;

INSERT INTO credits_apikey (
    id, name, organization_id, service_id, prefix, secret_sha256, revoked_at, expires_at,
    last_used_at, created_by_id, created_at
)
SELECT id / 2, (ARRAY['Shop', 'CMS', 'Editor', 'Import'])[1 + id % 4], id, NULL::bigint,
    'crk_' || substr(md5('prefix ' || id), 1, 8), sha256(convert_to('key ' || id, 'UTF8')),
    CASE WHEN chance < 0.05 THEN now - interval '30 days' * chance END,
    CASE WHEN chance > 0.95 THEN now + interval '90 days' * (chance - 0.97) END,
    CASE WHEN chance < 0.7 THEN now - interval '10 days' * chance END, id,
    created_at + interval '1 minute'
FROM new_organization, size WHERE id % 2 = 0
UNION ALL
SELECT organizations + s.id, 'Extension', NULL, s.id, 'crk_service' || s.id,
    sha256(convert_to('service ' || s.id, 'UTF8')), NULL, NULL, now, organizations + 1, since
FROM size, credits_service s;

INSERT INTO credits_invitation (
    organization_id, email, role, invited_by_id, created_at, sent_at, expires_at, accepted_at,
    withdrawn_at
)
SELECT id, lower(last_name || '.' || id || '@' || middle || '.example'), 'member', id, at, at,
    at + interval '7 days', CASE WHEN chance < 0.08 THEN at + interval '1 day' END,
    CASE WHEN chance > 0.14 THEN at + interval '2 days' END
FROM (
    SELECT o.*, since + (now - since) * random() AS at FROM new_organization o, size
    WHERE chance < 0.15
) AS invited
ORDER BY at;

INSERT INTO credits_activity (organization_id, kind, actor_id, member_email, facts, created_at)
SELECT id, kind, id, lower(first_name || id || '@' || front || '.example'),
    CASE kind WHEN 'renamed' THEN jsonb_build_object('before', middle, 'name', front)
        WHEN 'member_added' THEN jsonb_build_object(
            'email', lower(last_name) || '@shop.example', 'role', 'member')
        ELSE '{}' END, at
FROM (
    SELECT o.*, since + (now - since) * random() AS at,
        (ARRAY['renamed', 'member_added', 'balance_shown', 'member_left'])[1 + o.id % 4] AS kind
    FROM new_organization o, size WHERE chance < 0.5
) AS done
ORDER BY at;

INSERT INTO django_admin_log (
    action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id
)
SELECT since + (now - since) * (i / organizations::float), i::text, 'Organization ' || i, 2,
    'Changed weekly bundle.', t.id, organizations + 1 + i % 20
FROM size, generate_series(1, organizations / 5) AS i, django_content_type t
WHERE t.app_label = 'credits' AND t.model = 'organization';

-- Purchases, what Stripe told of them, and the money that went back.
INSERT INTO topups_purchase (
    id, organization_id, buyer_id, plan_id, credits, amount_minor, currency, status,
    stripe_session_id, stripe_payment_intent_id, paid_minor, discount_minor,
    tax_minor, created_at, paid_at, next_check_at, failed_checks, check_error
)
SELECT n.id, n.organization_id, n.organization_id, p.id, coalesce(f.amount, plan.credits),
    price.amount_minor, n.currency, n.status, 'cs_' || replace(n.id::text, '-', ''),
    CASE n.status WHEN 'paid' THEN 'pi_' || replace(n.id::text, '-', '') ELSE '' END,
    CASE n.status WHEN 'paid' THEN price.amount_minor END, 0, 0, at,
    CASE n.status WHEN 'paid' THEN at + interval '40 seconds' * share END,
    CASE WHEN n.status IN ('pending', 'processing') THEN at + interval '21 hours' END, 0, ''
FROM (
    -- One open checkout at a time.
    SELECT *, row_number() OVER (PARTITION BY organization_id, status ORDER BY at) AS nth
    FROM new_purchase
) AS n
LEFT JOIN filled f ON f.purchase_id = n.id
JOIN plan ON plan.position = CASE
    WHEN f.id IS NULL THEN 1 + floor(n.share * 3)
    ELSE (SELECT max(c.position) FROM plan c WHERE c.credits <= greatest(f.amount, 1000)) END
JOIN topups_plan p ON p.name = plan.name
JOIN topups_price price ON price.plan_id = p.id AND price.currency = n.currency
WHERE nth = 1 OR n.status <> 'pending'
ORDER BY at;

INSERT INTO topups_billingaccount (organization_id, currency, stripe_customer_id, email)
SELECT DISTINCT ON (b.organization_id) b.organization_id, currency, 'cus_' || b.organization_id, u.email
FROM topups_purchase b JOIN credits_user u ON u.id = b.buyer_id
ORDER BY b.organization_id;

INSERT INTO topups_paymentrefund (
    id, purchase_id, stripe_refund_id, amount_minor, status, requested_by_id, reason, error,
    attempts, created_at, as_of, next_attempt_at
)
SELECT uuidv7(at - clock_timestamp()), b.id,
    CASE WHEN NOT waits THEN 're_' || replace(b.id::text, '-', '') END,
    CASE WHEN fate < 0.030 THEN paid_minor ELSE paid_minor / 2 END,
    CASE WHEN waits THEN 'requested' WHEN fate < 0.039 THEN 'succeeded' ELSE 'pending' END,
    organizations + 1, 'Asked for by email', '', 1, at, CASE WHEN NOT waits THEN at + interval '2 seconds' END,
    CASE WHEN waits THEN now + interval '5 minutes' END
FROM clawed JOIN topups_purchase b ON b.id = purchase_id, size,
    LATERAL (SELECT fate BETWEEN 0.0299 AND 0.0300) AS state (waits)
WHERE fate < 0.040
ORDER BY at;

INSERT INTO topups_dispute (
    stripe_dispute_id, purchase_id, amount_minor, status, is_withdrawn, reason, respond_by,
    created_at, as_of
)
SELECT 'du_' || replace(b.id::text, '-', ''), b.id, paid_minor,
    CASE WHEN fate < 0.045 THEN 'lost' WHEN fate < 0.0465 THEN 'needs_response'
        WHEN fate < 0.048 THEN 'under_review' ELSE 'won' END,
    fate < 0.048, 'fraudulent', c.at + interval '14 days', c.at, c.at + interval '1 minute'
FROM (
    SELECT purchase_id, fate, at FROM clawed WHERE fate >= 0.040
    UNION ALL
    SELECT id, fate, at + interval '1 hour' FROM new_purchase
    WHERE status = 'paid' AND fate BETWEEN 0.048 AND 0.05
) AS c
JOIN topups_purchase b ON b.id = c.purchase_id
ORDER BY c.at;

INSERT INTO topups_moneyback (purchase_id, currency, amount_minor, tax_minor, posted_at)
SELECT b.id, b.currency, gone.amount_minor, b.tax_minor * gone.amount_minor / b.paid_minor, gone.at
FROM (
    SELECT purchase_id, amount_minor, as_of AS at FROM topups_paymentrefund
    WHERE status IN ('pending', 'succeeded')
    UNION ALL
    SELECT purchase_id, amount_minor, as_of FROM topups_dispute WHERE status = 'lost'
) AS gone
JOIN topups_purchase b ON b.id = gone.purchase_id
ORDER BY gone.at;

INSERT INTO topups_stripeevent (
    event_id, type, payload, status, error, attempts, received_at, processed_at, next_attempt_at
)
SELECT 'evt_' || nth || replace(b.id::text, '-', ''), type,
    jsonb_build_object('id', 'evt_' || b.id, 'type', type, 'data', jsonb_build_object(
        'object', jsonb_build_object('id', stripe_session_id, 'amount_total', amount_minor,
            'currency', b.currency, 'metadata', jsonb_build_object('purchase_id', b.id),
            'url', repeat('https://checkout.stripe.example/', 10)))),
    CASE WHEN fails THEN 'failed' WHEN nth = 1 THEN 'processed' ELSE 'ignored' END,
    CASE WHEN fails THEN 'Unfulfillable: the amount is another one.' ELSE '' END, 1,
    b.created_at + interval '1 minute' * nth,
    CASE WHEN NOT fails THEN b.created_at + interval '1 minute' * nth END,
    CASE WHEN fails THEN now + interval '1 hour' END
FROM topups_purchase b,
    (VALUES (1, 'checkout.session.completed'), (2, 'payment_intent.succeeded')) AS told (nth, type),
    size, LATERAL (SELECT nth = 1 AND hashtext(b.id::text) % 5000 = 0) AS state (fails)
ORDER BY b.created_at;

INSERT INTO topups_reconciliation (since, started_at, finished_at, seen, repaired, failures)
SELECT d - interval '2 days', d, d + interval '1 minute', 100, '[]', '[]'
FROM size, generate_series(since, now, '1 day') AS d;

INSERT INTO credits_email ("to", key, template, context, created_at, sent_at, attempts, error,
    next_attempt_at)
SELECT u.email, 'receipt ' || b.id, 'receipt', jsonb_build_object('credits', b.credits), paid_at,
    CASE WHEN NOT waits THEN paid_at + interval '3 seconds' END, 1,
    CASE WHEN waits THEN 'Connection refused' ELSE '' END, CASE WHEN waits THEN now END
FROM topups_purchase b JOIN credits_user u ON u.id = b.buyer_id, size,
    LATERAL (SELECT hashtext(b.id::text) % 10000 = 0) AS state (waits)
WHERE status = 'paid'
ORDER BY paid_at;

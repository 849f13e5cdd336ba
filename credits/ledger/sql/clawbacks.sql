-- Brings a grant to what its clawback wants: the targets given, or the ones it has. Only what is not
-- used can be taken back or frozen, taken back first; so the outcome depends on the targets and on
-- what was used, never on the order in which the targets came. What a lapsed grant would get back
-- lapses. The caller holds the wallet's lock.
CREATE OR REPLACE FUNCTION ledger_claw_back(
    p_grant uuid, p_now timestamptz, p_spend uuid DEFAULT NULL,
    p_revoke bigint DEFAULT NULL, p_freeze bigint DEFAULT NULL,
    p_actor bigint DEFAULT NULL, p_reason text DEFAULT ''
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_old record;
    v_revoke bigint;
    v_freeze bigint;
    v_collected bigint;
    v_revoked bigint;
    v_frozen bigint;
    v_move record;
BEGIN
    SELECT g.organization_id, g.expires_at, c.*,
        g.remaining + c.revoked_credits + c.frozen_credits AS unused
    INTO STRICT v_old
    FROM credits_clawback c JOIN credits_grant g ON g.id = c.grant_id
    WHERE c.grant_id = p_grant;

    v_revoke := coalesce(p_revoke, v_old.revoke_credits);
    v_freeze := coalesce(p_freeze, v_old.freeze_credits);
    -- What was collected elsewhere stands for credits to revoke first, then for those to freeze.
    v_collected := least(v_old.collected_credits, v_revoke + v_freeze);
    v_revoked := least(greatest(v_revoke - v_collected, 0), v_old.unused);
    v_frozen := least(
        v_freeze - greatest(v_collected - v_revoke, 0), v_old.unused - v_revoked
    );

    UPDATE credits_clawback c
    SET revoke_credits = v_revoke, freeze_credits = v_freeze, collected_credits = v_collected,
        revoked_credits = v_revoked, frozen_credits = v_frozen, updated_at = p_now
    WHERE c.grant_id = p_grant AND (
        c.revoke_credits, c.freeze_credits, c.revoked_credits, c.frozen_credits
    ) IS DISTINCT FROM (v_revoke, v_freeze, v_revoked, v_frozen);

    -- What comes back is written before what goes, so that the remainder is never below zero.
    FOR v_move IN
        SELECT kind, credits FROM (
            VALUES
                (1, 'restore', greatest(v_old.revoked_credits - v_revoked, 0)),
                (2, 'thaw', greatest(v_old.frozen_credits - v_frozen, 0)),
                (3, 'revoke', least(v_old.revoked_credits - v_revoked, 0)),
                (4, 'freeze', least(v_old.frozen_credits - v_frozen, 0))
        ) AS moves (step, kind, credits)
        WHERE credits <> 0 ORDER BY step
    LOOP
        PERFORM ledger_post(
            v_old.organization_id, p_grant, v_move.kind, v_move.credits, p_now,
            p_spend, p_actor, p_reason
        );
    END LOOP;
    IF v_old.expires_at <= p_now AND v_old.unused > v_revoked + v_frozen THEN
        PERFORM ledger_post(
            v_old.organization_id, p_grant, 'expire', v_revoked + v_frozen - v_old.unused,
            p_now
        );
    ELSIF v_revoked + v_frozen < v_old.revoked_credits + v_old.frozen_credits THEN
        PERFORM ledger_note_credits(v_old.organization_id, p_now);
    END IF;
END $$;

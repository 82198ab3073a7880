-- Money handed over between the bank and a seller or a ventana, or between the banca and its owner: registered, or taken
-- back. One call, one transaction: the movement, its transfer, the balance and the day's statement.
--
-- A movement is a fact: whom it leaves under the limit may stand there, and sells nothing until it is repaid.
--
-- Takes   p_date, p_time: Costa Rica's. p_at: a test's time.
-- Gives   one row. REGISTERED and KNOWN with answer, what is answered now and to the same key again; only REGISTERED is
--         recorded. MISMATCH: the key is another request's. ENTITY_NOT_FOUND: no such one, or not the actor's.
--         FUTURE_DATE, FUTURE_TIME, DATE_TOO_OLD, STATEMENT_SETTLED (settled_through). account_id, balance_cents,
--         balance_version: the seller's, as it stands now. answer's possibleDuplicateOf: an equal movement (entity, day,
--         type, amount) of the last ten minutes that stands, or null; it is booked all the same, under its own key.
-- Locks   the seller's account → the entity's statements.
DROP FUNCTION IF EXISTS register_movement;
CREATE FUNCTION register_movement(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_id uuid, p_dimension text, p_entity uuid, p_date date,
    p_time time, p_amount bigint, p_type text, p_method text, p_notes text, p_final boolean, p_request text,
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    outcome text, at timestamptz, answer jsonb, settled_through date, account_id uuid, balance_cents bigint,
    balance_version bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_dimension statement_dimension := p_dimension;
    v_actor users;
    v_known idempotency;
    v_ventana uuid;
    v_now timestamptz := database_clock(p_at);
    v_today date := costa_rica_date(v_now);
    v_occurred timestamptz := (p_date + p_time) AT TIME ZONE 'UTC' + interval '6 hours';
    v_movement movements;
    v_duplicate_of uuid;
    v_event bigint;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_actor FROM users u WHERE u.id = p_actor;
    v_ventana := ventana_of_entity(p_banca, v_dimension, p_entity);
    IF NOT moves_for(v_actor, p_banca, v_dimension, p_entity, v_ventana) THEN
        RETURN QUERY SELECT 'ENTITY_NOT_FOUND', NULL::timestamptz, NULL::jsonb, NULL::date, NULL::uuid, NULL::bigint,
                            NULL::bigint;
        RETURN;
    END IF;
    PERFORM 1 FROM accounts a WHERE a.banca_id = p_banca AND a.id = p_entity AND a.kind = 'SELLER' FOR NO KEY UPDATE;
    PERFORM lock_statements(ARRAY[p_entity]);
    at := date_trunc('milliseconds', clock_timestamp());

    -- Under the locks: a second call with this key waited for the first.
    SELECT * INTO v_known FROM idempotency k
     WHERE k.banca_id = p_banca AND k.actor_id = p_actor AND k.key = p_key;
    settled_through := closed_through(p_banca, v_dimension, p_entity);
    outcome := CASE
        WHEN v_known.key IS NOT NULL AND v_known.fingerprint <> p_fingerprint THEN 'MISMATCH'
        WHEN v_known.key IS NOT NULL THEN 'KNOWN'
        WHEN p_date > v_today THEN 'FUTURE_DATE'
        WHEN p_date = v_today AND v_occurred > v_now THEN 'FUTURE_TIME'
        WHEN p_date < v_today - 366 THEN 'DATE_TOO_OLD'
        WHEN p_date <= settled_through THEN 'STATEMENT_SETTLED'
        ELSE 'REGISTERED' END;
    answer := v_known.answer;
    IF outcome <> 'REGISTERED' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- Under the locks, too: of two equal ones at once the second names the first.
    SELECT m.id INTO v_duplicate_of FROM movements m
     WHERE m.banca_id = p_banca AND m.business_date = p_date AND m.dimension = v_dimension AND m.entity_id = p_entity
       AND m.type = p_type::movement_type AND m.amount_cents = p_amount AND m.reversed_at IS NULL
       AND m.created_at > at - interval '10 minutes'
     ORDER BY m.created_at DESC, m.id LIMIT 1;
    PERFORM ensure_partitions(p_date);
    INSERT INTO movements (
        banca_id, id, dimension, entity_id, ventana_id, business_date, occurred_at, type, method, amount_cents, notes,
        is_final, registered_by, registered_by_role, registered_by_name, created_at)
    VALUES (p_banca, p_id, v_dimension, p_entity, CASE v_dimension WHEN 'VENDEDOR' THEN v_ventana END, p_date,
            v_occurred, p_type::movement_type, p_method::payment_method, p_amount, p_notes, p_final, p_actor,
            v_actor.role, coalesce(nullif(v_actor.name, ''), v_actor.username), at)
    RETURNING * INTO v_movement;
    v_event := write_activity(p_banca, 'ACCOUNT_PAYMENT_CREATE', p_actor, 'ACCOUNT_PAYMENT', p_id, NULL,
                              movement_facts(v_movement) || jsonb_build_object('key', p_key), 'api', p_request);
    SELECT m.account_id, m.balance_cents, m.balance_version INTO account_id, balance_cents, balance_version
      FROM post_movement(v_movement, v_event, false) m;
    PERFORM rewrite_statements(p_banca, ARRAY[v_dimension], ARRAY[p_entity], ARRAY[p_date], v_today, true);
    answer := jsonb_build_object('payment', movement_facts(v_movement),
                                 'statement', statement_of_day(p_banca, v_dimension, p_entity, p_date),
                                 'possibleDuplicateOf', v_duplicate_of);
    INSERT INTO idempotency (banca_id, actor_id, key, fingerprint, outcome, answer, created_at)
    VALUES (p_banca, p_actor, p_key, p_fingerprint, 'MOVEMENT_REGISTERED', answer, at);
    RETURN NEXT;
END $$;

-- Takes a movement back: it stays, and says so. On a closed day its opposite is posted as a correction of today.
--
-- Gives   as register_movement: REVERSED, KNOWN, MISMATCH, PAYMENT_NOT_FOUND (or not the actor's),
--         PAYMENT_ALREADY_REVERSED.
-- Locks   the seller's account → the entity's statements → the movement.
DROP FUNCTION IF EXISTS reverse_movement;
CREATE FUNCTION reverse_movement(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_id uuid, p_reason text, p_request text,
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    outcome text, at timestamptz, answer jsonb, account_id uuid, balance_cents bigint, balance_version bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_actor users;
    v_known idempotency;
    v_movement movements;
    v_before jsonb;
    v_event bigint;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_actor FROM users u WHERE u.id = p_actor;
    SELECT * INTO v_movement FROM movements m WHERE m.banca_id = p_banca AND m.id = p_id;
    IF v_movement.id IS NULL
       OR NOT moves_for(v_actor, p_banca, v_movement.dimension, v_movement.entity_id,
                        ventana_of_entity(p_banca, v_movement.dimension, v_movement.entity_id)) THEN
        RETURN QUERY SELECT 'PAYMENT_NOT_FOUND', NULL::timestamptz, NULL::jsonb, NULL::uuid, NULL::bigint, NULL::bigint;
        RETURN;
    END IF;
    PERFORM 1 FROM accounts a
      WHERE a.banca_id = p_banca AND a.id = v_movement.entity_id AND a.kind = 'SELLER' FOR NO KEY UPDATE;
    PERFORM lock_statements(ARRAY[v_movement.entity_id]);
    SELECT * INTO v_movement FROM movements m WHERE m.banca_id = p_banca AND m.id = p_id FOR NO KEY UPDATE;
    at := date_trunc('milliseconds', clock_timestamp());

    SELECT * INTO v_known FROM idempotency k
     WHERE k.banca_id = p_banca AND k.actor_id = p_actor AND k.key = p_key;
    outcome := CASE
        WHEN v_known.key IS NOT NULL AND v_known.fingerprint <> p_fingerprint THEN 'MISMATCH'
        WHEN v_known.key IS NOT NULL THEN 'KNOWN'
        WHEN v_movement.reversed_at IS NOT NULL THEN 'PAYMENT_ALREADY_REVERSED'
        ELSE 'REVERSED' END;
    answer := v_known.answer;
    IF outcome <> 'REVERSED' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_before := movement_facts(v_movement);
    UPDATE movements m SET reversed_at = at, reversed_by = p_actor, reversed_reason = p_reason
     WHERE m.banca_id = p_banca AND m.id = p_id
    RETURNING * INTO v_movement;
    v_event := write_activity(p_banca, 'ACCOUNT_PAYMENT_REVERSE', p_actor, 'ACCOUNT_PAYMENT', p_id, v_before,
                              movement_facts(v_movement) || jsonb_build_object('key', p_key), 'api', p_request);
    SELECT m.account_id, m.balance_cents, m.balance_version INTO account_id, balance_cents, balance_version
      FROM post_movement(v_movement, v_event, true) m;
    PERFORM rewrite_statements(p_banca, ARRAY[v_movement.dimension], ARRAY[v_movement.entity_id],
                               ARRAY[v_movement.business_date], costa_rica_date(database_clock(p_at)), true);
    answer := jsonb_build_object(
        'payment', movement_facts(v_movement),
        'statement', statement_of_day(p_banca, v_movement.dimension, v_movement.entity_id, v_movement.business_date));
    INSERT INTO idempotency (banca_id, actor_id, key, fingerprint, outcome, answer, created_at)
    VALUES (p_banca, p_actor, p_key, p_fingerprint, 'MOVEMENT_REVERSED', answer, at);
    RETURN NEXT;
END $$;

-- The ventana that an entity belongs to, a ventana to itself; null for the banca, and where there is no such entity.
DROP FUNCTION IF EXISTS ventana_of_entity;
CREATE FUNCTION ventana_of_entity(p_banca uuid, p_dimension statement_dimension, p_entity uuid) RETURNS uuid
LANGUAGE sql STABLE
AS $$
    SELECT CASE p_dimension
               WHEN 'VENDEDOR' THEN (SELECT u.ventana_id FROM users u
                                      WHERE u.banca_id = p_banca AND u.id = p_entity AND u.role = 'VENDEDOR')
               WHEN 'VENTANA' THEN (SELECT v.id FROM ventanas v WHERE v.banca_id = p_banca AND v.id = p_entity)
           END
$$;

-- Whether there is such an entity, and the actor stands above it (core/domain/permissions.py: who may move at all).
DROP FUNCTION IF EXISTS moves_for;
CREATE FUNCTION moves_for(
    p_actor users, p_banca uuid, p_dimension statement_dimension, p_entity uuid, p_ventana uuid
) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(p_actor.is_active, false)
       AND CASE p_dimension WHEN 'BANCA' THEN p_entity = p_banca ELSE p_ventana IS NOT NULL END
       AND CASE p_actor.role
               WHEN 'ADMIN' THEN true
               WHEN 'BANCA' THEN p_actor.banca_id = p_banca OR EXISTS (
                    SELECT FROM user_bancas y WHERE y.banca_id = p_banca AND y.user_id = p_actor.id)
               WHEN 'VENTANA' THEN p_actor.banca_id = p_banca AND p_dimension <> 'BANCA'
                                   AND p_actor.ventana_id = p_ventana
               ELSE false END
$$;

-- The transfer of a movement, or of its reversal, and what it does to the seller's balance (none of the others is stored).
DROP FUNCTION IF EXISTS post_movement;
CREATE FUNCTION post_movement(
    p_movement movements, p_event bigint, p_back boolean,
    OUT account_id uuid, OUT balance_cents bigint, OUT balance_version bigint
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_house account_kind := CASE p_movement.dimension WHEN 'BANCA' THEN 'OWNER' ELSE 'CASH' END;
    v_entity uuid := p_movement.entity_id;
    v_other uuid;
    -- The bank hands money out: the entity owes it.
    v_is_debit boolean := (p_movement.type = 'payment') <> p_back;
BEGIN
    IF p_movement.dimension = 'BANCA' THEN
        -- What the owner puts in or takes out passes through the banca's cash.
        SELECT a.id INTO STRICT v_entity FROM accounts a WHERE a.banca_id = p_movement.banca_id AND a.kind = 'CASH';
        INSERT INTO accounts (banca_id, id, kind) VALUES (p_movement.banca_id, gen_random_uuid(), 'OWNER')
            ON CONFLICT DO NOTHING;
    END IF;
    SELECT a.id INTO STRICT v_other FROM accounts a WHERE a.banca_id = p_movement.banca_id AND a.kind = v_house;
    INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, debit_account_id, credit_account_id,
                           amount_cents, created_at)
    VALUES (p_movement.banca_id, p_movement.business_date, p_movement.id, p_event,
            (upper(p_movement.type::text) || CASE WHEN p_back THEN '_REVERSAL' ELSE '' END)::transfer_kind,
            CASE WHEN v_is_debit THEN v_entity ELSE v_other END,
            CASE WHEN v_is_debit THEN v_other ELSE v_entity END,
            p_movement.amount_cents, coalesce(p_movement.reversed_at, p_movement.created_at));
    IF p_movement.dimension = 'VENDEDOR' THEN
        SELECT m.ids[1], m.balances[1], m.versions[1] INTO account_id, balance_cents, balance_version
          FROM move_sellers(p_movement.banca_id, ARRAY[p_movement.entity_id],
                            ARRAY[CASE WHEN v_is_debit THEN -p_movement.amount_cents
                                       ELSE p_movement.amount_cents END]) m;
    END IF;
END $$;

-- A movement as answers, readings and the trail tell it.
CREATE OR REPLACE FUNCTION movement_facts(m movements) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'id', m.id, 'dimension', m.dimension, 'entityId', m.entity_id, 'ventanaId', m.ventana_id,
        'date', m.business_date, 'occurredAt', m.occurred_at, 'type', m.type, 'method', m.method,
        'amountCents', m.amount_cents, 'notes', m.notes, 'isFinal', m.is_final, 'by', m.registered_by,
        'byRole', m.registered_by_role, 'byName', m.registered_by_name, 'at', m.created_at,
        'reversedAt', m.reversed_at, 'reversedBy', m.reversed_by, 'reversedReason', m.reversed_reason)
$$;

-- A day of an entity as answers tell it; null: it has no row.
DROP FUNCTION IF EXISTS statement_of_day;
CREATE FUNCTION statement_of_day(p_banca uuid, p_dimension statement_dimension, p_entity uuid, p_day date) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'date', s.business_date, 'openingCents', s.opening_cents, 'salesCents', s.sales_cents,
        'payoutsCents', s.payouts_cents, 'listeroCommissionCents', s.listero_commission_cents,
        'vendedorCommissionCents', s.vendedor_commission_cents, 'balanceCents', s.balance_cents,
        'correctionsCents', s.corrections_cents, 'paidCents', s.paid_cents, 'collectedCents', s.collected_cents,
        'closingCents', s.closing_cents, 'ticketCount', s.ticket_count, 'settledAt', s.settled_at)
      FROM statements s
     WHERE s.banca_id = p_banca AND s.dimension = p_dimension AND s.entity_id = p_entity AND s.business_date = p_day
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['register_movement', 'reverse_movement', 'ventana_of_entity', 'moves_for',
                                         'post_movement', 'movement_facts', 'statement_of_day'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION register_movement, reverse_movement, movement_facts TO banca_api;

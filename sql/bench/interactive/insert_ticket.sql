-- Gives the event's id. $1 banca … as named.
INSERT INTO tickets (
    banca_id, business_date, sorteo_id, sequence, id, event_id, rulebook_version, ventana_id, vendedor_id, created_by,
    created_by_role, terminal_id, total_cents, commission_cents, seller_credit_cents, listero_commission_cents,
    cliente_nombre, created_at)
VALUES ($1, $2, $3, $4, $5, nextval('outbox_id'), $6, $7, $8, $9, $10::text::user_role, $11, $12, $13, $14, $15, $16,
        $17)
RETURNING event_id

-- The terminals of sales from before, so that they too are known when another seller sends them again. A terminal sends
-- again within hours: keys of draws of more than a week ago stay without, so that a large table is not written anew.
--
-- In a transaction of its own, without the lock of ALTER TABLE: sales go on meanwhile. Where two sellers already used one
-- key on one terminal, the earlier ticket keeps it.
UPDATE idempotency k SET terminal_id = s.terminal_id
  FROM (SELECT DISTINCT ON (t.banca_id, t.terminal_id, i.key)
               i.banca_id, i.actor_id, i.key, t.terminal_id
          FROM idempotency i
          JOIN tickets t ON t.banca_id = i.banca_id AND t.business_date = i.business_date
               AND t.sorteo_id = i.sorteo_id AND t.sequence = i.sequence
         WHERE i.outcome = 'SOLD' AND t.business_date >= current_date - 7
         ORDER BY t.banca_id, t.terminal_id, i.key, i.created_at, i.actor_id) s
 WHERE k.banca_id = s.banca_id AND k.actor_id = s.actor_id AND k.key = s.key;

ALTER TABLE idempotency VALIDATE CONSTRAINT idempotency_operation_has_its_answer;

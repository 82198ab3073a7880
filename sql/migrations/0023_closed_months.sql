-- Months that were closed: whoever is found active in one of them later has a closing of it too.

CREATE TABLE closed_months (
    banca_id uuid NOT NULL REFERENCES bancas,
    -- Its first day.
    month date NOT NULL CHECK (month = date_trunc('month', month)),
    closed_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, month)
);
ALTER TABLE closed_months ENABLE ROW LEVEL SECURITY;
CREATE POLICY closed_months_of_the_banca ON closed_months TO banca_api, banca_worker, banca_definer
    USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()));
GRANT SELECT ON closed_months TO banca_api, banca_worker, banca_definer;
GRANT INSERT ON closed_months TO banca_definer;

INSERT INTO closed_months (banca_id, month, closed_at)
SELECT k.banca_id, k.month, min(k.closed_at) FROM monthly_closings k GROUP BY k.banca_id, k.month;

-- Whoever has none of a closed month gets it when its day is computed anew.
INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
SELECT DISTINCT s.banca_id, s.dimension, s.entity_id, m.month
  FROM closed_months m
  JOIN statements s ON s.banca_id = m.banca_id AND s.business_date >= m.month
       AND s.business_date < m.month + interval '1 month'
 WHERE NOT EXISTS (SELECT FROM monthly_closings k
                    WHERE k.banca_id = m.banca_id AND k.month = m.month AND k.dimension = s.dimension
                      AND k.entity_id = s.entity_id);

-- A ventana's days and months, as sorteo_takings_of_vendedor has a seller's.
CREATE INDEX sorteo_takings_of_ventana ON sorteo_takings (banca_id, ventana_id, business_date);

-- The days of an entity, in order. The key begins with the dimension, and under row-level security no condition on an enum
-- leads into an index: its equality is not leakproof. An entity is of one dimension, so nothing is lost without it.
CREATE INDEX statements_of_entity ON statements (banca_id, entity_id, business_date);

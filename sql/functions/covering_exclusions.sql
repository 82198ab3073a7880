-- Which standing exclusion takes jugadas out: of the draw, their ventana, their seller and their multiplier. A REVENTADO
-- goes with the NUMERO of its number in the same ticket.
--
-- Takes   parallel arrays, one entry per jugada; j_ticket: any number that tells its ticket from the others. All jugadas of
--         a ticket, or of its REVENTADO some would be let pass.
-- Gives   one row per jugada that one covers: its place, from 1, and the oldest exclusion.
CREATE OR REPLACE FUNCTION covering_exclusions(
    p_banca uuid, j_sorteo uuid[], j_ticket bigint[], j_ventana uuid[], j_vendedor uuid[], j_number smallint[],
    j_reventado boolean[], j_multiplier uuid[]
) RETURNS TABLE (place bigint, exclusion_id uuid)
LANGUAGE sql STABLE
AS $$
    SELECT DISTINCT ON (j.place) j.place, e.id
      FROM (SELECT u.*, array_agg(u.multiplier) FILTER (WHERE NOT u.reventado)
                            OVER (PARTITION BY u.ticket, u.number) AS beside
              FROM unnest(j_sorteo, j_ticket, j_ventana, j_vendedor, j_number, j_reventado, j_multiplier)
                   WITH ORDINALITY AS u (sorteo, ticket, ventana, vendedor, number, reventado, multiplier, place)) j
      JOIN lista_exclusions e
        ON e.banca_id = p_banca AND e.sorteo_id = j.sorteo AND e.lifted_at IS NULL AND e.ventana_id = j.ventana
       AND (e.vendedor_id IS NULL OR e.vendedor_id = j.vendedor)
       AND (e.multiplier_id IS NULL OR e.multiplier_id = j.multiplier
            OR j.reventado AND e.multiplier_id = ANY (j.beside))
     ORDER BY j.place, e.excluded_at, e.id
$$;
ALTER FUNCTION covering_exclusions OWNER TO banca_definer;
REVOKE ALL ON FUNCTION covering_exclusions FROM PUBLIC;

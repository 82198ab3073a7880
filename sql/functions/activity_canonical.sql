-- One row of the audit trail as text, for the rows hash of its link (docs/audit-chain.md). It must stay the same for
-- ever, whatever the session's settings: hence the epoch, and jsonb, whose text is canonical.
CREATE OR REPLACE FUNCTION activity_canonical(entry activity_log) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_array(
        entry.banca_id, entry.event_id, entry.line, entry.occurred_on,
        (extract(epoch FROM entry.occurred_at) * 1000000)::bigint,
        entry.action, entry.actor_id, entry.target_type, entry.target_id, entry.layer, entry.request_id,
        entry.details)::text
$$;

-- A link's hash: of the link before it, of its event's content, and of its rows.
CREATE OR REPLACE FUNCTION audit_link(previous bytea, content bytea, rows_hash bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(previous || content || rows_hash)
$$;

-- An operation may fall into a month in which no draw was made yet.
GRANT EXECUTE ON FUNCTION ensure_partitions(date) TO banca_worker;

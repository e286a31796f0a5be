ALTER TABLE api_keys
    ADD COLUMN prefix TEXT DEFAULT '' NOT NULL,
    ADD COLUMN rate_per_s DOUBLE PRECISION,
    ADD COLUMN burst INTEGER,
    ADD COLUMN last_used_on DATE;
COMMENT ON COLUMN api_keys.prefix IS 'how the key begins, for people to tell keys apart';
COMMENT ON COLUMN api_keys.rate_per_s IS 'requests a second in the long run; null: the installation''s';
COMMENT ON COLUMN api_keys.burst IS 'requests at once; null: the installation''s';
COMMENT ON COLUMN api_keys.last_used_on IS 'the UTC day; written once a day';
CREATE INDEX ix_api_keys_workspace_id_id ON api_keys (workspace_id, id);

ALTER TABLE audit_log DROP CONSTRAINT ck_audit_log_act;
ALTER TABLE audit_log ADD CONSTRAINT ck_audit_log_act CHECK
    (act IN (
    'campaign_started', 'campaign_paused', 'campaign_resumed', 'campaign_cancelled', 'campaign_changed',
    'campaign_scheduled', 'campaign_unscheduled', 'campaign_not_started', 'campaign_closed', 'campaign_cloned',
    'template_created', 'template_changed', 'template_deleted', 'workflow_created', 'workflow_changed',
    'workflow_deleted', 'leads_assigned', 'automation_switched', 'automation_run', 'jobs_retried',
    'dead_letters_redriven', 'dead_letters_purged', 'api_key_created', 'api_key_revoked'));

-- One row a key, written at each request. Unlogged: no WAL and no wait for it; after a crash every key may burst anew.
-- Pages are left nine tenths empty, so that a new version of a row always lies beside the old one (HOT).
-- No workspace: it is reached by way of a key, and only authenticate() writes it.
CREATE UNLOGGED TABLE key_buckets (
    key_id UUID NOT NULL,
    full_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_key_buckets PRIMARY KEY (key_id),
    CONSTRAINT fk_key_buckets_key_id FOREIGN KEY(key_id) REFERENCES api_keys (id)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE key_buckets IS 'when each API key will have its whole burst again';
GRANT SELECT ON key_buckets TO cadenza_worker;

-- Who has a key, and whether the key may come in now: the generic cell rate algorithm (ITU-T I.371), which keeps of a
-- token bucket the one instant at which it is full again. A request that is refused takes nothing.
-- rate and most are the installation's; a key's own can only be lower. The function of one argument stays, for the
-- functions that a deployment has not replaced yet.
CREATE FUNCTION authenticate(hash text, at timestamptz, rate float8, most integer)
    RETURNS TABLE (key_id uuid, workspace uuid, role text, rate_per_s float8, burst integer, full_at timestamptz,
                   admitted boolean)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    k record;
    step interval;
    full_again timestamptz;
    taken boolean := true;
BEGIN
    SELECT a.id, a.workspace_id, a.role, a.last_used_on,
           least(a.rate_per_s, rate) AS rate_per_s, least(a.burst, most) AS burst
    INTO k FROM api_keys a WHERE a.key_hash = hash AND a.revoked_at IS NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    step := make_interval(secs => 1 / k.rate_per_s);
    INSERT INTO key_buckets AS b (key_id, full_at) VALUES (k.id, at + step)
    ON CONFLICT ON CONSTRAINT pk_key_buckets DO UPDATE SET full_at = greatest(b.full_at, at) + step
    WHERE greatest(b.full_at, at) + step <= at + k.burst * step
    RETURNING b.full_at INTO full_again;
    IF NOT FOUND THEN
        taken := false;
        SELECT b.full_at INTO full_again FROM key_buckets b WHERE b.key_id = k.id;
    END IF;
    IF k.last_used_on IS NULL OR k.last_used_on < (at AT TIME ZONE 'UTC')::date THEN
        UPDATE api_keys a SET last_used_on = (at AT TIME ZONE 'UTC')::date WHERE a.id = k.id;
    END IF;
    RETURN QUERY SELECT k.id, k.workspace_id, k.role, k.rate_per_s, k.burst, full_again, taken;
END $$;
REVOKE ALL ON FUNCTION authenticate(text, timestamptz, float8, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(text, timestamptz, float8, integer) TO cadenza_api;

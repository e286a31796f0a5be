ALTER TABLE automation_settings
    ADD COLUMN ai_concurrency INTEGER DEFAULT 5 NOT NULL,
    ADD COLUMN lead_stagger_s INTEGER DEFAULT 1 NOT NULL;

COMMENT ON COLUMN automation_settings.ai_concurrency IS 'AI calls at once';

COMMENT ON COLUMN automation_settings.lead_stagger_s IS 'between crawls of new leads';

ALTER TABLE jobs ADD COLUMN runs INTEGER DEFAULT 0 NOT NULL;

COMMENT ON COLUMN jobs.runs IS 'how often it was begun: whoever began it last may end it';

COMMENT ON COLUMN jobs.attempts_made IS 'failed ones before this run';

CREATE INDEX ix_jobs_queued ON jobs (workspace_id, kind, next_attempt_at) WHERE status = 'QUEUED';

-- Nothing wrote to it so far, and its provider is one that all workspaces share.
DROP TABLE circuit_breakers;

CREATE TABLE circuit_breakers (
    provider TEXT NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    reason TEXT DEFAULT '' NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_circuit_breakers PRIMARY KEY (provider)
);

COMMENT ON TABLE circuit_breakers IS
    'of the installation, not of a workspace: all share the provider; open_until null: closed';

COMMENT ON COLUMN circuit_breakers.failures IS 'in a row';

GRANT SELECT ON circuit_breakers TO cadenza_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON circuit_breakers TO cadenza_worker;

ALTER TABLE ai_usage
    ADD COLUMN outcome TEXT DEFAULT 'answered' NOT NULL,
    ADD COLUMN took_ms INTEGER,
    ADD COLUMN priced BOOLEAN DEFAULT true NOT NULL,
    ADD CONSTRAINT ck_ai_usage_outcome CHECK (outcome IN ('answered', 'unusable', 'unknown'));

COMMENT ON COLUMN ai_usage.took_ms IS 'null: nobody knows';

COMMENT ON COLUMN ai_usage.priced IS 'false: the price is not known';

CREATE TABLE ai_calls (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    job_kind TEXT NOT NULL,
    job_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    lead_id UUID,
    contact_id UUID,
    provider TEXT DEFAULT '' NOT NULL,
    model TEXT DEFAULT '' NOT NULL,
    prompt_version TEXT DEFAULT '' NOT NULL,
    reserved_usd_micros BIGINT NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer JSONB,
    CONSTRAINT pk_ai_calls PRIMARY KEY (id),
    CONSTRAINT uq_ai_calls_job_kind_job_key_request_hash UNIQUE (job_kind, job_key, request_hash),
    CONSTRAINT fk_ai_calls_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX ix_ai_calls_under_way ON ai_calls (workspace_id, expires_at) WHERE answer IS NULL;

COMMENT ON TABLE ai_calls IS 'calls of a model under way, and answers whose job has not ended';

COMMENT ON COLUMN ai_calls.request_hash IS 'SHA-256 of all that is asked';

COMMENT ON COLUMN ai_calls.reserved_usd_micros IS 'the most that it can cost';

COMMENT ON COLUMN ai_calls.answer IS 'kept until its job ends, so that it is paid for once; null: under way';

GRANT SELECT, DELETE ON ai_calls TO cadenza_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON ai_calls TO cadenza_worker;
ALTER TABLE ai_calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ai_calls TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON ai_calls TO cadenza_worker USING (true);

ALTER TABLE lead_batches
    ADD COLUMN campaign_id UUID,
    ADD COLUMN counts JSONB DEFAULT '{}'::jsonb NOT NULL,
    ADD COLUMN handed_out_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT fk_lead_batches_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id);

CREATE INDEX ix_lead_batches_running ON lead_batches (created_at) WHERE status = 'running';

CREATE TABLE idempotency_keys (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    attempt_id UUID NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    carried_out_at TIMESTAMP WITH TIME ZONE,
    status INTEGER,
    media_type TEXT DEFAULT '' NOT NULL,
    answer TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (id),
    CONSTRAINT uq_idempotency_keys_workspace_id_key UNIQUE (workspace_id, key),
    CONSTRAINT fk_idempotency_keys_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX ix_idempotency_keys_claimed_at ON idempotency_keys (claimed_at);

COMMENT ON TABLE idempotency_keys IS 'requests that must not be carried out twice, and what they were answered';

COMMENT ON COLUMN idempotency_keys.key IS 'the header Idempotency-Key';

COMMENT ON COLUMN idempotency_keys.request_hash IS 'SHA-256 of what was asked for';

COMMENT ON COLUMN idempotency_keys.attempt_id IS 'the one attempt that may carry it out';

COMMENT ON COLUMN idempotency_keys.status IS 'of the answer; null: there is none yet';

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO cadenza_api, cadenza_worker;
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_keys TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON idempotency_keys TO cadenza_worker USING (true);

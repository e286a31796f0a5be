UPDATE campaigns SET type = 'outreach' WHERE type = '';
ALTER TABLE campaigns
    ALTER COLUMN type SET DEFAULT 'outreach',
    ADD CONSTRAINT ck_campaigns_type CHECK (type IN ('lead_generation', 'outreach', 'fully_automated'));

CREATE TABLE audit_log (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    act TEXT NOT NULL,
    key_id UUID,
    subject_id UUID,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id),
    CONSTRAINT ck_audit_log_act CHECK
        (act IN ('campaign_started', 'campaign_paused', 'campaign_resumed', 'campaign_cancelled')),
    CONSTRAINT fk_audit_log_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
CREATE INDEX ix_audit_log_workspace_id_id ON audit_log (workspace_id, id);
CREATE INDEX ix_audit_log_subject_id ON audit_log (subject_id);
COMMENT ON TABLE audit_log IS 'append-only: what operators did, by which key';
COMMENT ON COLUMN audit_log.key_id IS 'the API key that did it; null: nobody, the system did';
COMMENT ON COLUMN audit_log.subject_id IS 'what it was done to, if that is one thing';
GRANT SELECT, INSERT ON audit_log TO cadenza_api, cadenza_worker;
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_log TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON audit_log TO cadenza_worker USING (true);

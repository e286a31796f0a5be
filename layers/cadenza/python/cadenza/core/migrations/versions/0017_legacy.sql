CREATE TABLE legacy_ids (
    workspace_id UUID NOT NULL,
    kind TEXT NOT NULL,
    old_id TEXT NOT NULL,
    new_id UUID NOT NULL,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    key_id UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_legacy_ids PRIMARY KEY (workspace_id, kind, old_id),
    CONSTRAINT fk_legacy_ids_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);
CREATE INDEX ix_legacy_ids_new_id ON legacy_ids (new_id);
COMMENT ON TABLE legacy_ids IS 'what imports from other systems have brought, so that none brings it twice';
COMMENT ON COLUMN legacy_ids.old_id IS 'there; a digest of what names it, where it had none';
COMMENT ON COLUMN legacy_ids.key_id IS 'the API key that brought it; null: the command';
GRANT SELECT, INSERT, UPDATE, DELETE ON legacy_ids TO cadenza_api, cadenza_worker;
ALTER TABLE legacy_ids ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON legacy_ids TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON legacy_ids TO cadenza_worker USING (true);

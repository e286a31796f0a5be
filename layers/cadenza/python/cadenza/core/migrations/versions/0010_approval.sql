ALTER TABLE campaigns
    ADD COLUMN approval_mode TEXT,
    ADD COLUMN approval_first_n INTEGER DEFAULT 0 NOT NULL,
    ADD CONSTRAINT ck_campaigns_approval_mode
        CHECK (approval_mode IN ('automatic', 'review_each', 'review_first'));
COMMENT ON COLUMN campaigns.approval_mode IS 'null: the workspace''s; of the two the stricter holds';

ALTER TABLE contact_campaigns
    ADD COLUMN approval TEXT DEFAULT 'not_needed' NOT NULL,
    ADD CONSTRAINT ck_contact_campaigns_approval
        CHECK (approval IN ('not_needed', 'wanted', 'approved', 'rejected')),
    ADD CONSTRAINT ck_contact_campaigns_asked_first
        CHECK (approval NOT IN ('wanted', 'rejected') OR status IN ('draft', 'stopped'));
CREATE INDEX ix_contact_campaigns_wanted ON contact_campaigns (workspace_id, id)
    WHERE approval = 'wanted' AND status = 'draft';
CREATE INDEX ix_contact_campaigns_approved ON contact_campaigns (campaign_id) WHERE approval = 'approved';

CREATE TABLE approval_log (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    enrolment_id UUID NOT NULL,
    act TEXT NOT NULL,
    plan_id UUID NOT NULL,
    key_id UUID,
    reason TEXT DEFAULT '' NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_approval_log PRIMARY KEY (id),
    CONSTRAINT ck_approval_log_act CHECK (act IN ('edited', 'approved', 'rejected', 'released')),
    CONSTRAINT fk_approval_log_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_approval_log_enrolment_id FOREIGN KEY(enrolment_id) REFERENCES contact_campaigns (id)
);
CREATE INDEX ix_approval_log_enrolment_id ON approval_log (enrolment_id);
COMMENT ON TABLE approval_log IS 'append-only: who changed, approved and rejected drafts';
COMMENT ON COLUMN approval_log.plan_id IS 'no foreign key: an erasure takes plans away';
COMMENT ON COLUMN approval_log.key_id IS
    'the API key that did it; null: nobody, it follows from others'' approval';
GRANT SELECT, INSERT, UPDATE ON approval_log TO cadenza_api, cadenza_worker;
ALTER TABLE approval_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON approval_log TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON approval_log TO cadenza_worker USING (true);

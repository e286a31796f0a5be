ALTER TABLE campaigns
    ADD COLUMN intake JSONB DEFAULT '{}'::jsonb NOT NULL,
    ADD COLUMN company_order TEXT DEFAULT 'together' NOT NULL,
    ADD COLUMN company_gap TEXT DEFAULT 'P3D' NOT NULL,
    ADD CONSTRAINT ck_campaigns_company_order CHECK (company_order IN ('together', 'one_after_another'));
COMMENT ON COLUMN campaigns.intake IS 'whom a fully automated campaign takes by itself';
COMMENT ON COLUMN campaigns.company_gap IS 'ISO 8601; between two people of one company';

CREATE TABLE campaign_turns (
    campaign_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    lead_id UUID NOT NULL,
    status TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_campaign_turns PRIMARY KEY (campaign_id, contact_id),
    CONSTRAINT ck_campaign_turns_status CHECK (status IN ('waiting', 'begun', 'ended', 'dropped')),
    CONSTRAINT fk_campaign_turns_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_campaign_turns_contact_id FOREIGN KEY(contact_id) REFERENCES contacts (id),
    CONSTRAINT fk_campaign_turns_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_campaign_turns_lead_id FOREIGN KEY(lead_id) REFERENCES leads (id)
);
CREATE UNIQUE INDEX uq_campaign_turns_next ON campaign_turns (campaign_id, lead_id)
    WHERE due_at IS NOT NULL AND status IN ('waiting', 'begun');
CREATE INDEX ix_campaign_turns_open ON campaign_turns (campaign_id, lead_id) WHERE status IN ('waiting', 'begun');
CREATE INDEX ix_campaign_turns_due_at ON campaign_turns (due_at) WHERE status = 'waiting';
CREATE INDEX ix_campaign_turns_lead_id ON campaign_turns (lead_id);
COMMENT ON TABLE campaign_turns IS 'whose turn it is, where a campaign takes the people of a company one after another';
COMMENT ON COLUMN campaign_turns.due_at IS 'when they are next; null: somebody is before them';
GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_turns TO cadenza_api, cadenza_worker;
ALTER TABLE campaign_turns ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON campaign_turns TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON campaign_turns TO cadenza_worker USING (true);

CREATE INDEX ix_jobs_contact_id ON jobs (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_contacts_workspace_id_id ON contacts (workspace_id, id);

ALTER TABLE audit_log DROP CONSTRAINT ck_audit_log_act;
ALTER TABLE audit_log ADD CONSTRAINT ck_audit_log_act CHECK
    (act IN (
    'campaign_started', 'campaign_paused', 'campaign_resumed', 'campaign_cancelled', 'campaign_changed',
    'campaign_scheduled', 'campaign_unscheduled', 'campaign_not_started', 'campaign_closed', 'campaign_cloned',
    'template_created', 'template_changed', 'template_deleted', 'workflow_created', 'workflow_changed',
    'workflow_deleted', 'leads_assigned', 'automation_switched', 'automation_run'));

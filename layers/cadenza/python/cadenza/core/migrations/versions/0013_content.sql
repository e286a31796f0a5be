ALTER TABLE workflows ADD COLUMN updated_at TIMESTAMP WITH TIME ZONE;
UPDATE workflows SET updated_at = created_at;
ALTER TABLE workflows ALTER COLUMN updated_at SET NOT NULL;
CREATE INDEX ix_templates_workspace_id ON templates (workspace_id);
CREATE INDEX ix_workflows_workspace_id ON workflows (workspace_id);
CREATE INDEX ix_workflow_steps_template_id ON workflow_steps (template_id);

ALTER TABLE campaigns
    ADD COLUMN plan_id UUID,
    ADD COLUMN intake_closed_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT fk_campaigns_plan_id FOREIGN KEY(plan_id) REFERENCES campaign_plans (id);
CREATE INDEX ix_campaigns_template_id ON campaigns (template_id) WHERE template_id IS NOT NULL;
CREATE INDEX ix_campaigns_workflow_id ON campaigns (workflow_id) WHERE workflow_id IS NOT NULL;
CREATE INDEX ix_campaigns_plan_id ON campaigns (plan_id) WHERE plan_id IS NOT NULL;
CREATE INDEX ix_campaigns_starts_at ON campaigns (starts_at) WHERE status = 'scheduled';
COMMENT ON COLUMN campaigns.plan_id IS 'what its template or workflow compiles to; fixed by the start; null: none yet';
COMMENT ON COLUMN campaigns.intake_closed_at IS 'since then it takes nobody in; null: it does';

ALTER TABLE audit_log DROP CONSTRAINT ck_audit_log_act;
ALTER TABLE audit_log ADD CONSTRAINT ck_audit_log_act CHECK (act IN (
    'campaign_started', 'campaign_paused', 'campaign_resumed', 'campaign_cancelled', 'campaign_changed',
    'campaign_scheduled', 'campaign_unscheduled', 'campaign_not_started', 'campaign_closed', 'campaign_cloned',
    'template_created', 'template_changed', 'template_deleted', 'workflow_created', 'workflow_changed',
    'workflow_deleted'));

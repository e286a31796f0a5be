-- The whole schema as it was at first. A later change of the schema is a later migration.

CREATE TABLE circuit_breakers (
    workspace_id UUID NOT NULL,
    provider TEXT NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    reason TEXT DEFAULT '' NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_circuit_breakers PRIMARY KEY (workspace_id, provider)
);

CREATE TABLE finished_actions (
    action_id BIGINT NOT NULL,
    workspace_id UUID NOT NULL,
    enrolment_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    node TEXT NOT NULL,
    visit INTEGER NOT NULL,
    kind TEXT NOT NULL,
    event TEXT DEFAULT '' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    why JSONB DEFAULT '[]'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_finished_actions PRIMARY KEY (action_id),
    CONSTRAINT ck_finished_actions_outcome CHECK (outcome IN ('done', 'cancelled', 'failed'))
);

CREATE INDEX ix_finished_actions_enrolment_id ON finished_actions (enrolment_id);

COMMENT ON TABLE finished_actions IS 'append-only: where a live action goes when it ends';

CREATE TABLE heartbeats (
    worker TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_heartbeats PRIMARY KEY (worker)
);

COMMENT ON TABLE heartbeats IS 'of the installation, not of a workspace';

COMMENT ON COLUMN heartbeats.worker IS 'a function''s name';

CREATE TABLE workspaces (
    id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_workspaces PRIMARY KEY (id)
);

CREATE TABLE ai_usage (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    lead_id UUID,
    contact_id UUID,
    purpose TEXT DEFAULT '' NOT NULL,
    model TEXT DEFAULT '' NOT NULL,
    prompt_version TEXT DEFAULT '' NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_usd_micros BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_ai_usage PRIMARY KEY (id),
    CONSTRAINT fk_ai_usage_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX ix_ai_usage_workspace_id_at ON ai_usage (workspace_id, at);

CREATE TABLE api_keys (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    key_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT ck_api_keys_role CHECK (role IN ('viewer', 'operator', 'admin')),
    CONSTRAINT fk_api_keys_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);

COMMENT ON COLUMN api_keys.key_hash IS 'SHA-256, hex; the key itself is shown once';

CREATE TABLE automation_settings (
    workspace_id UUID NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    working_hours_start TIME WITHOUT TIME ZONE,
    working_hours_end TIME WITHOUT TIME ZONE,
    working_days SMALLINT[] DEFAULT '{1,2,3,4,5,6,7}'::smallint[] NOT NULL,
    holidays_country TEXT DEFAULT '' NOT NULL,
    extra_holidays DATE[] DEFAULT '{}'::date[] NOT NULL,
    daily_cap INTEGER,
    stagger_s INTEGER DEFAULT 5 NOT NULL,
    approval_mode TEXT DEFAULT 'automatic' NOT NULL,
    approval_first_n INTEGER DEFAULT 0 NOT NULL,
    stop_company_on_reply BOOLEAN DEFAULT false NOT NULL,
    unknown_bound_s INTEGER DEFAULT 86400 NOT NULL,
    offline_fallback BOOLEAN DEFAULT true NOT NULL,
    ai_daily_budget_usd_micros BIGINT,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_automation_settings PRIMARY KEY (workspace_id),
    CONSTRAINT ck_automation_settings_approval_mode CHECK (approval_mode IN ('automatic', 'review_each', 'review_first')),
    CONSTRAINT fk_automation_settings_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

COMMENT ON COLUMN automation_settings.daily_cap IS 'messages a day over the workspace; null: no cap';

COMMENT ON COLUMN automation_settings.stagger_s IS 'between two plans of one lead';

COMMENT ON COLUMN automation_settings.ai_daily_budget_usd_micros IS 'null: no limit';

CREATE TABLE campaign_plans (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    hash CHAR(64) NOT NULL,
    version TEXT NOT NULL,
    plan JSONB DEFAULT '{}'::jsonb NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_campaign_plans PRIMARY KEY (id),
    CONSTRAINT uq_campaign_plans_workspace_id_hash UNIQUE (workspace_id, hash),
    CONSTRAINT fk_campaign_plans_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

COMMENT ON COLUMN campaign_plans.hash IS 'SHA-256 of the canonical JSON';

CREATE TABLE jobs (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    kind TEXT NOT NULL,
    business_key TEXT NOT NULL,
    lead_id UUID,
    contact_id UUID,
    campaign_id UUID,
    status TEXT NOT NULL,
    attempts_made INTEGER DEFAULT 0 NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    result JSONB DEFAULT '{}'::jsonb NOT NULL,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT uq_jobs_kind_business_key UNIQUE (kind, business_key),
    CONSTRAINT ck_jobs_kind CHECK (kind IN ('crawl', 'analysis', 'planning')),
    CONSTRAINT ck_jobs_status CHECK (status IN ('QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'SKIPPED')),
    CONSTRAINT fk_jobs_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX ix_jobs_campaign_id ON jobs (campaign_id, status);

CREATE INDEX ix_jobs_lead_id ON jobs (lead_id);

CREATE INDEX ix_jobs_workspace_id_queued_at ON jobs (workspace_id, queued_at);

COMMENT ON COLUMN jobs.business_key IS 'what makes two requests the same work';

COMMENT ON COLUMN jobs.lead_id IS 'no foreign key: a job may be about a lead that never existed';

COMMENT ON COLUMN jobs.attempts_made IS 'failed attempts so far';

CREATE TABLE lead_batches (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    status TEXT NOT NULL,
    total_rows INTEGER NOT NULL,
    report JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lead_batches PRIMARY KEY (id),
    CONSTRAINT ck_lead_batches_status CHECK (status IN ('running', 'completed', 'failed')),
    CONSTRAINT fk_lead_batches_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE TABLE send_quota (
    scope TEXT NOT NULL,
    scope_id UUID NOT NULL,
    day DATE NOT NULL,
    workspace_id UUID NOT NULL,
    used INTEGER NOT NULL,
    CONSTRAINT pk_send_quota PRIMARY KEY (scope, scope_id, day),
    CONSTRAINT fk_send_quota_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

COMMENT ON COLUMN send_quota.scope IS 'workspace, campaign or sender';

COMMENT ON COLUMN send_quota.day IS 'UTC day';

CREATE TABLE sender_identities (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    email TEXT NOT NULL,
    reply_to TEXT DEFAULT '' NOT NULL,
    company TEXT DEFAULT '' NOT NULL,
    postal_address TEXT DEFAULT '' NOT NULL,
    provider TEXT DEFAULT 'ses' NOT NULL,
    provider_settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    daily_cap INTEGER,
    warm_up JSONB DEFAULT '{}'::jsonb NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE,
    paused_reason TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sender_identities PRIMARY KEY (id),
    CONSTRAINT uq_sender_identities_workspace_id_email UNIQUE (workspace_id, email),
    CONSTRAINT fk_sender_identities_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

COMMENT ON COLUMN sender_identities.daily_cap IS 'messages a day; null: no cap';

CREATE TABLE suppressions (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_suppressions PRIMARY KEY (id),
    CONSTRAINT uq_suppressions_workspace_id_channel_address UNIQUE (workspace_id, channel, address),
    CONSTRAINT ck_suppressions_channel CHECK (channel IN ('email', 'phone', 'domain')),
    CONSTRAINT fk_suppressions_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

COMMENT ON COLUMN suppressions.address IS 'lower-case address, E.164 number or domain';

CREATE TABLE templates (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    text_body TEXT DEFAULT '' NOT NULL,
    html_body TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_templates PRIMARY KEY (id),
    CONSTRAINT fk_templates_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE TABLE workflows (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_workflows PRIMARY KEY (id),
    CONSTRAINT fk_workflows_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE TABLE campaigns (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    kind TEXT NOT NULL,
    type TEXT DEFAULT '' NOT NULL,
    status TEXT NOT NULL,
    sender_id UUID,
    template_id UUID,
    workflow_id UUID,
    brief JSONB DEFAULT '{}'::jsonb NOT NULL,
    rules JSONB DEFAULT '{}'::jsonb NOT NULL,
    daily_cap INTEGER,
    starts_at TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    paused_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    status_reason TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_campaigns PRIMARY KEY (id),
    CONSTRAINT ck_campaigns_kind CHECK (kind IN ('template', 'workflow', 'ai')),
    CONSTRAINT ck_campaigns_status CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled', 'failed')),
    CONSTRAINT fk_campaigns_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_campaigns_sender_id FOREIGN KEY(sender_id) REFERENCES sender_identities (id),
    CONSTRAINT fk_campaigns_template_id FOREIGN KEY(template_id) REFERENCES templates (id),
    CONSTRAINT fk_campaigns_workflow_id FOREIGN KEY(workflow_id) REFERENCES workflows (id)
);

CREATE INDEX ix_campaigns_workspace_id ON campaigns (workspace_id);

COMMENT ON COLUMN campaigns.daily_cap IS 'messages a day; null: no cap';

CREATE TABLE leads (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    batch_id UUID,
    domain TEXT NOT NULL,
    url TEXT NOT NULL,
    company_name TEXT DEFAULT '' NOT NULL,
    status TEXT NOT NULL,
    crawl_id TEXT,
    failure_reason TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_leads PRIMARY KEY (id),
    CONSTRAINT uq_leads_workspace_id_domain UNIQUE (workspace_id, domain),
    CONSTRAINT ck_leads_status CHECK (status IN ('new', 'crawling', 'crawled', 'analyzing', 'analyzed', 'failed')),
    CONSTRAINT fk_leads_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_leads_batch_id FOREIGN KEY(batch_id) REFERENCES lead_batches (id)
);

CREATE INDEX ix_leads_batch_id ON leads (batch_id);

COMMENT ON COLUMN leads.domain IS 'normalised: lower case, IDNA, no www';

COMMENT ON COLUMN leads.crawl_id IS 'the provider''s id of the crawl under way or last finished';

CREATE TABLE workflow_steps (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    workflow_id UUID NOT NULL,
    position INTEGER NOT NULL,
    template_id UUID NOT NULL,
    delay TEXT NOT NULL,
    CONSTRAINT pk_workflow_steps PRIMARY KEY (id),
    CONSTRAINT uq_workflow_steps_workflow_id_position UNIQUE (workflow_id, position),
    CONSTRAINT fk_workflow_steps_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_workflow_steps_workflow_id FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_workflow_steps_template_id FOREIGN KEY(template_id) REFERENCES templates (id)
);

COMMENT ON COLUMN workflow_steps.delay IS 'ISO 8601 duration after the step before';

CREATE TABLE campaign_leads (
    campaign_id UUID NOT NULL,
    lead_id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_campaign_leads PRIMARY KEY (campaign_id, lead_id),
    CONSTRAINT fk_campaign_leads_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_campaign_leads_lead_id FOREIGN KEY(lead_id) REFERENCES leads (id),
    CONSTRAINT fk_campaign_leads_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX ix_campaign_leads_lead_id ON campaign_leads (lead_id);

COMMENT ON TABLE campaign_leads IS 'which sites a campaign takes its contacts from';

CREATE TABLE contacts (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    lead_id UUID,
    email TEXT,
    phone TEXT,
    name TEXT DEFAULT '' NOT NULL,
    first_name TEXT DEFAULT '' NOT NULL,
    last_name TEXT DEFAULT '' NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    role_rank INTEGER DEFAULT 100 NOT NULL,
    kind TEXT DEFAULT 'person' NOT NULL,
    time_zone TEXT DEFAULT '' NOT NULL,
    country TEXT DEFAULT '' NOT NULL,
    language TEXT DEFAULT '' NOT NULL,
    source JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    erased_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_contacts PRIMARY KEY (id),
    CONSTRAINT fk_contacts_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_contacts_lead_id FOREIGN KEY(lead_id) REFERENCES leads (id)
);

CREATE INDEX ix_contacts_lead_id ON contacts (lead_id);

CREATE UNIQUE INDEX uq_contacts_workspace_id_email ON contacts (workspace_id, lower(email));

COMMENT ON COLUMN contacts.email IS 'as found; null once erased or when only a phone is known';

COMMENT ON COLUMN contacts.phone IS 'E.164';

COMMENT ON COLUMN contacts.role_rank IS '1 decides; generic ones last';

CREATE TABLE lead_analyses (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    lead_id UUID NOT NULL,
    input_hash TEXT NOT NULL,
    report JSONB DEFAULT '{}'::jsonb NOT NULL,
    stats JSONB DEFAULT '{}'::jsonb NOT NULL,
    model TEXT DEFAULT '' NOT NULL,
    prompt_version TEXT DEFAULT '' NOT NULL,
    cost_usd_micros BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lead_analyses PRIMARY KEY (id),
    CONSTRAINT uq_lead_analyses_lead_id_input_hash UNIQUE (lead_id, input_hash),
    CONSTRAINT fk_lead_analyses_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_lead_analyses_lead_id FOREIGN KEY(lead_id) REFERENCES leads (id) ON DELETE CASCADE
);

COMMENT ON COLUMN lead_analyses.input_hash IS 'SHA-256 of the pages and of what analyses them';

CREATE TABLE lead_pages (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    lead_id UUID NOT NULL,
    url TEXT NOT NULL,
    page JSONB DEFAULT '{}'::jsonb NOT NULL,
    fetched_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lead_pages PRIMARY KEY (id),
    CONSTRAINT uq_lead_pages_lead_id_url UNIQUE (lead_id, url),
    CONSTRAINT fk_lead_pages_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_lead_pages_lead_id FOREIGN KEY(lead_id) REFERENCES leads (id) ON DELETE CASCADE
);

CREATE TABLE contact_campaigns (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    status TEXT NOT NULL,
    current_node TEXT DEFAULT '' NOT NULL,
    visit INTEGER DEFAULT 0 NOT NULL,
    entered_at TIMESTAMP WITH TIME ZONE,
    anchor_at TIMESTAMP WITH TIME ZONE,
    seq INTEGER DEFAULT 0 NOT NULL,
    last_message_id UUID,
    reason TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_contact_campaigns PRIMARY KEY (id),
    CONSTRAINT uq_contact_campaigns_campaign_id_contact_id UNIQUE (campaign_id, contact_id),
    CONSTRAINT ck_contact_campaigns_status CHECK (status IN ('draft', 'active', 'completed', 'stopped', 'failed')),
    CONSTRAINT fk_contact_campaigns_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_contact_campaigns_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_contact_campaigns_contact_id FOREIGN KEY(contact_id) REFERENCES contacts (id),
    CONSTRAINT fk_contact_campaigns_plan_id FOREIGN KEY(plan_id) REFERENCES campaign_plans (id)
)
 WITH (fillfactor = 80);

CREATE INDEX ix_contact_campaigns_contact_id ON contact_campaigns (contact_id);

CREATE INDEX ix_contact_campaigns_open ON contact_campaigns (campaign_id) WHERE status IN ('draft', 'active');

COMMENT ON TABLE contact_campaigns IS 'enrolments; moves stay HOT because nothing that a move changes is indexed';

COMMENT ON COLUMN contact_campaigns.visit IS 'nodes entered so far';

COMMENT ON COLUMN contact_campaigns.seq IS 'audit rows written so far';

COMMENT ON COLUMN contact_campaigns.last_message_id IS 'the outbox row that a wait node listens to';

CREATE TABLE holds (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_holds PRIMARY KEY (id),
    CONSTRAINT fk_holds_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_holds_contact_id FOREIGN KEY(contact_id) REFERENCES contacts (id)
);

CREATE INDEX ix_holds_contact_id_until ON holds (contact_id, until);

CREATE TABLE outbound_messages (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    enrolment_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    sender_id UUID,
    node TEXT NOT NULL,
    visit INTEGER NOT NULL,
    channel TEXT NOT NULL,
    status TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closes_at TIMESTAMP WITH TIME ZONE,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    enqueued_at TIMESTAMP WITH TIME ZONE,
    attempt_id UUID,
    lease_until TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    to_address TEXT DEFAULT '' NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    provider TEXT DEFAULT '' NOT NULL,
    provider_message_id TEXT,
    reason TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_outbound_messages PRIMARY KEY (id),
    CONSTRAINT uq_outbound_messages_enrolment_id_node_visit UNIQUE (enrolment_id, node, visit),
    CONSTRAINT ck_outbound_messages_channel CHECK (channel IN ('email', 'sms', 'call')),
    CONSTRAINT ck_outbound_messages_status CHECK (status IN ('queued', 'sending', 'unknown', 'sent', 'failed', 'skipped', 'delivered', 'bounced', 'complained')),
    CONSTRAINT fk_outbound_messages_enrolment_id FOREIGN KEY(enrolment_id) REFERENCES contact_campaigns (id),
    CONSTRAINT fk_outbound_messages_sender_id FOREIGN KEY(sender_id) REFERENCES sender_identities (id)
);

CREATE INDEX ix_outbound_messages_campaign_id ON outbound_messages (campaign_id, status);

CREATE INDEX ix_outbound_messages_contact_id ON outbound_messages (contact_id);

CREATE INDEX ix_outbound_messages_queued ON outbound_messages (due_at) WHERE status = 'queued';

CREATE INDEX ix_outbound_messages_sending ON outbound_messages (lease_until) WHERE status IN ('sending', 'unknown');

COMMENT ON TABLE outbound_messages IS 'the outbox: a row is handed to a provider at most once';

COMMENT ON COLUMN outbound_messages.attempt_id IS 'the one provider call that may be under way';

CREATE TABLE scheduled_actions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    enrolment_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    node TEXT NOT NULL,
    visit INTEGER NOT NULL,
    kind TEXT NOT NULL,
    event TEXT DEFAULT '' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closes_at TIMESTAMP WITH TIME ZONE,
    why JSONB DEFAULT '[]'::jsonb NOT NULL,
    status TEXT NOT NULL,
    enqueued_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_scheduled_actions PRIMARY KEY (id),
    CONSTRAINT uq_scheduled_actions_enrolment_id_node_visit_kind_event UNIQUE (enrolment_id, node, visit, kind, event),
    CONSTRAINT ck_scheduled_actions_kind CHECK (kind IN ('send', 'timeout')),
    CONSTRAINT ck_scheduled_actions_status CHECK (status IN ('pending', 'enqueued')),
    CONSTRAINT fk_scheduled_actions_enrolment_id FOREIGN KEY(enrolment_id) REFERENCES contact_campaigns (id)
);

CREATE INDEX ix_scheduled_actions_campaign_id ON scheduled_actions (campaign_id, due_at);

CREATE INDEX ix_scheduled_actions_enqueued ON scheduled_actions (enqueued_at) WHERE status = 'enqueued';

CREATE INDEX ix_scheduled_actions_pending ON scheduled_actions (due_at) WHERE status = 'pending';

COMMENT ON TABLE scheduled_actions IS 'live work only';

CREATE TABLE message_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    message_id UUID NOT NULL,
    provider TEXT NOT NULL,
    provider_event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    grade TEXT NOT NULL,
    grade_reasons JSONB DEFAULT '[]'::jsonb NOT NULL,
    hard BOOLEAN,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    verdict TEXT DEFAULT '' NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_message_events PRIMARY KEY (id),
    CONSTRAINT uq_message_events_provider_provider_event_id UNIQUE (provider, provider_event_id),
    CONSTRAINT fk_message_events_message_id FOREIGN KEY(message_id) REFERENCES outbound_messages (id)
);

CREATE INDEX ix_message_events_message_id ON message_events (message_id, occurred_at);

COMMENT ON COLUMN message_events.hard IS 'bounces: permanent or transient';

CREATE TABLE campaign_transitions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    enrolment_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    from_node TEXT DEFAULT '' NOT NULL,
    from_visit INTEGER NOT NULL,
    to_node TEXT DEFAULT '' NOT NULL,
    to_visit INTEGER NOT NULL,
    to_status TEXT NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    rule TEXT DEFAULT '' NOT NULL,
    event_id BIGINT,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_campaign_transitions PRIMARY KEY (id),
    CONSTRAINT uq_campaign_transitions_enrolment_id_seq UNIQUE (enrolment_id, seq),
    CONSTRAINT fk_campaign_transitions_enrolment_id FOREIGN KEY(enrolment_id) REFERENCES contact_campaigns (id),
    CONSTRAINT fk_campaign_transitions_event_id FOREIGN KEY(event_id) REFERENCES message_events (id)
);

COMMENT ON TABLE campaign_transitions IS 'append-only audit: replays to the enrolment''s current node';

-- Who may see what. The API's role sees the workspace that its transaction names; the workers' role sees all, because
-- one batch from a queue serves many workspaces. Roles belong to the cluster: another database may have made them.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['cadenza_api', 'cadenza_worker'] LOOP
        BEGIN
            EXECUTE 'CREATE ROLE ' || quote_ident(role_name) || ' LOGIN';
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        -- On Aurora the functions log in with IAM tokens, which this membership allows.
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
            EXECUTE 'GRANT rds_iam TO ' || quote_ident(role_name);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO cadenza_api, cadenza_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO cadenza_api, cadenza_worker;
-- Events get their ids before they are inserted, in the batch that decides on them.
GRANT USAGE ON SEQUENCE message_events_id_seq TO cadenza_worker;
REVOKE ALL ON alembic_version FROM cadenza_api, cadenza_worker;
-- The audit and the archive are append-only for everybody but their owner.
REVOKE UPDATE, DELETE ON campaign_transitions, finished_actions FROM cadenza_api, cadenza_worker;

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT quote_ident(c.table_name) FROM information_schema.columns c
        WHERE c.table_schema = 'public' AND c.column_name = 'workspace_id'
    LOOP
        EXECUTE 'ALTER TABLE ' || name || ' ENABLE ROW LEVEL SECURITY';
        EXECUTE 'CREATE POLICY tenant ON ' || name || ' TO cadenza_api USING '
            || $policy$(workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid)$policy$;
        EXECUTE 'CREATE POLICY worker ON ' || name || ' TO cadenza_worker USING (true)';
    END LOOP;
END $$;

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON workspaces TO cadenza_api USING
    (id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON workspaces TO cadenza_worker USING (true);

-- An API key names its workspace, so it is looked up before any workspace is set: by hash only, through this door.
CREATE FUNCTION authenticate(hash text) RETURNS TABLE (key_id uuid, workspace uuid, role text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT k.id, k.workspace_id, k.role FROM api_keys k WHERE k.key_hash = hash AND k.revoked_at IS NULL';
REVOKE ALL ON FUNCTION authenticate(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(text) TO cadenza_api;

-- The installation's own workspace: it holds jobs that belong to no tenant.
INSERT INTO workspaces (id, name, created_at) VALUES ('00000000-0000-0000-0000-000000000000', 'installation', now());
INSERT INTO automation_settings (workspace_id, updated_at) VALUES ('00000000-0000-0000-0000-000000000000', now());

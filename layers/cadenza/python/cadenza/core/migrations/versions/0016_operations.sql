ALTER TABLE audit_log
    DROP CONSTRAINT ck_audit_log_act,
    ADD CONSTRAINT ck_audit_log_act CHECK
        (act IN (
    'campaign_started', 'campaign_paused', 'campaign_resumed', 'campaign_cancelled', 'campaign_changed',
    'campaign_scheduled', 'campaign_unscheduled', 'campaign_not_started', 'campaign_closed', 'campaign_cloned',
    'template_created', 'template_changed', 'template_deleted', 'workflow_created', 'workflow_changed',
    'workflow_deleted', 'leads_assigned', 'automation_switched', 'automation_run', 'jobs_retried',
    'dead_letters_redriven', 'dead_letters_purged'));

CREATE TABLE job_retries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    job_id UUID NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_job_retries PRIMARY KEY (id),
    CONSTRAINT ck_job_retries_kind CHECK (kind IN ('crawl', 'analysis', 'planning')),
    CONSTRAINT ck_job_retries_status CHECK (status IN ('QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'SKIPPED')),
    CONSTRAINT fk_job_retries_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
    CONSTRAINT fk_job_retries_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX ix_job_retries_workspace_id_at ON job_retries (workspace_id, at);
CREATE INDEX ix_job_retries_job_id ON job_retries (job_id, id);
COMMENT ON TABLE job_retries IS 'jobs that were asked for again after they had ended badly, and how they had ended';
GRANT SELECT, INSERT, UPDATE ON job_retries TO cadenza_api, cadenza_worker;
ALTER TABLE job_retries ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON job_retries TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON job_retries TO cadenza_worker USING (true);

CREATE INDEX ix_jobs_ended_badly ON jobs (workspace_id, id) WHERE status IN ('FAILED', 'SKIPPED');
CREATE INDEX ix_jobs_active ON jobs (started_at) WHERE status = 'ACTIVE';
CREATE INDEX ix_outbound_messages_not_sent ON outbound_messages (workspace_id, id)
    WHERE status IN ('failed', 'skipped');

-- Whether the schema is the one that the code wants is for everybody to know who asks how the installation is.
GRANT SELECT ON alembic_version TO cadenza_api;

-- What should have been done before these instants, and when the next timer far off falls: of the workspace that the
-- transaction names, or of all if that is the installation's own. A door, because the API's role sees one workspace;
-- it lets numbers and instants through, nothing else.
CREATE FUNCTION overdue_work(due_before timestamptz, jobs_before timestamptz, crawls_before timestamptz,
                             ahead_from timestamptz)
    RETURNS TABLE (work text, amount bigint, oldest timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH asked AS MATERIALIZED (
            SELECT nullif(current_setting('cadenza.workspace_id', true), '')::uuid AS id
        ), seen AS MATERIALIZED (
            SELECT w.id FROM workspaces w, asked
            WHERE w.id = asked.id OR asked.id = '00000000-0000-0000-0000-000000000000'
        ), found AS (
            SELECT 'action' AS work, a.due_at AS since FROM scheduled_actions a
            JOIN campaigns c ON c.id = a.campaign_id
            WHERE a.status = 'pending' AND a.due_at < due_before AND c.status = 'running'
              AND a.workspace_id IN (SELECT id FROM seen)
            UNION ALL
            -- On its own, because each state has its index.
            SELECT 'action', a.due_at FROM scheduled_actions a
            JOIN campaigns c ON c.id = a.campaign_id
            WHERE a.status = 'enqueued' AND a.due_at < due_before AND c.status = 'running'
              AND a.workspace_id IN (SELECT id FROM seen)
            UNION ALL
            SELECT 'message', m.due_at FROM outbound_messages m
            JOIN campaigns c ON c.id = m.campaign_id
            JOIN contact_campaigns e ON e.id = m.enrolment_id
            LEFT JOIN sender_identities s ON s.id = m.sender_id
            WHERE m.status = 'queued' AND m.due_at < due_before AND c.status = 'running' AND e.status = 'active'
              AND s.paused_at IS NULL AND m.workspace_id IN (SELECT id FROM seen)
            UNION ALL
            SELECT 'attempt', m.lease_until FROM outbound_messages m
            WHERE m.status = 'sending' AND m.lease_until < due_before AND m.workspace_id IN (SELECT id FROM seen)
            UNION ALL
            SELECT j.kind, coalesce(j.next_attempt_at, j.queued_at) FROM jobs j
            WHERE j.status = 'QUEUED' AND coalesce(j.next_attempt_at, j.queued_at) < jobs_before
              AND j.workspace_id IN (SELECT id FROM seen)
            UNION ALL
            SELECT j.kind, j.started_at FROM jobs j
            WHERE j.status = 'ACTIVE'
              AND j.started_at < CASE j.kind WHEN 'crawl' THEN crawls_before ELSE jobs_before END
              AND j.workspace_id IN (SELECT id FROM seen)
        )
        SELECT f.work, count(*), min(f.since) FROM found f GROUP BY f.work
        UNION ALL
        SELECT 'ahead', 0, least(
            (SELECT a.due_at FROM scheduled_actions a JOIN campaigns c ON c.id = a.campaign_id
             WHERE a.status = 'pending' AND a.due_at > ahead_from AND c.status = 'running'
               AND a.workspace_id IN (SELECT id FROM seen)
             ORDER BY a.due_at LIMIT 1),
            (SELECT m.due_at FROM outbound_messages m JOIN campaigns c ON c.id = m.campaign_id
             WHERE m.status = 'queued' AND m.due_at > ahead_from AND c.status = 'running'
               AND m.workspace_id IN (SELECT id FROM seen)
             ORDER BY m.due_at LIMIT 1))
    $$;
REVOKE ALL ON FUNCTION overdue_work(timestamptz, timestamptz, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION overdue_work(timestamptz, timestamptz, timestamptz, timestamptz) TO cadenza_api;

ALTER TABLE automation_settings ADD COLUMN retry_when_budget_renews BOOLEAN DEFAULT false NOT NULL;

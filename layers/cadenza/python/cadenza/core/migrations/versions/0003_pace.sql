-- Pace and reputation.

ALTER TABLE outbound_messages
    ADD COLUMN claimed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN recipient_domain TEXT DEFAULT '' NOT NULL,
    ADD COLUMN booked_on DATE;

-- What is out counts for the gaps from now on, as nearly as was recorded.
UPDATE outbound_messages SET claimed_at = sent_at WHERE sent_at IS NOT NULL;

CREATE INDEX ix_outbound_messages_recipient_domain ON outbound_messages (workspace_id, recipient_domain, claimed_at)
    WHERE recipient_domain <> '';

CREATE INDEX ix_outbound_messages_booked ON outbound_messages (sender_id, booked_on)
    WHERE status = 'queued' AND booked_on IS NOT NULL;

COMMENT ON COLUMN outbound_messages.claimed_at IS 'since when its provider has it, or may have it';

COMMENT ON COLUMN outbound_messages.recipient_domain IS 'of a claimed mail; empty for a number and at a mailbox provider';

COMMENT ON COLUMN outbound_messages.booked_on IS 'UTC day in whose caps it has a place: today''s were used up';

ALTER TABLE send_quota ADD COLUMN forgiven INTEGER DEFAULT 0 NOT NULL;

COMMENT ON COLUMN send_quota.forgiven IS 'of used: what no longer counts for the reputation, since a person resumed the scope';

ALTER TABLE campaigns ADD COLUMN resumed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE sender_identities ADD COLUMN resumed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE automation_settings
    ADD COLUMN contact_gap_s INTEGER DEFAULT 86400 NOT NULL,
    ADD COLUMN frequency_cap INTEGER,
    ADD COLUMN frequency_days INTEGER DEFAULT 7 NOT NULL,
    ADD COLUMN domain_gap_s INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN max_bounce_percent NUMERIC(5, 2) DEFAULT 4,
    ADD COLUMN max_complaint_percent NUMERIC(5, 2) DEFAULT 0.08,
    ADD COLUMN reputation_days INTEGER DEFAULT 7 NOT NULL,
    ADD COLUMN reputation_min_sent INTEGER DEFAULT 100 NOT NULL;

COMMENT ON COLUMN automation_settings.contact_gap_s IS 'between messages of two campaigns to one person';

COMMENT ON COLUMN automation_settings.frequency_cap IS 'messages to one person in frequency_days; null: no cap';

COMMENT ON COLUMN automation_settings.domain_gap_s IS 'between mails to one domain';

COMMENT ON COLUMN automation_settings.max_bounce_percent IS 'null: bounces pause nothing';

COMMENT ON COLUMN automation_settings.max_complaint_percent IS 'null: complaints pause nothing';

CREATE TABLE provider_quotas (
    provider TEXT NOT NULL,
    a_day BIGINT,
    claimed BIGINT DEFAULT 0 NOT NULL,
    allowed BIGINT,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_provider_quotas PRIMARY KEY (provider)
);

COMMENT ON TABLE provider_quotas IS 'of the installation: what a provider''s account allows over all workspaces';

COMMENT ON COLUMN provider_quotas.a_day IS 'messages in any 24 hours; null: no limit';

COMMENT ON COLUMN provider_quotas.claimed IS 'messages claimed for it, ever';

COMMENT ON COLUMN provider_quotas.allowed IS 'up to where claimed may go until the next reading';

GRANT SELECT ON provider_quotas TO cadenza_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_quotas TO cadenza_worker;

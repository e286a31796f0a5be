ALTER TABLE contacts
    ADD COLUMN consent_basis TEXT DEFAULT 'none' NOT NULL,
    ADD COLUMN consent_source TEXT DEFAULT '' NOT NULL,
    ADD COLUMN consent_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT ck_contacts_consent_basis CHECK (consent_basis IN ('none', 'legitimate_interest', 'opt_in'));

CREATE INDEX ix_contacts_workspace_id_phone ON contacts (workspace_id, phone) WHERE phone IS NOT NULL;

ALTER TABLE suppressions
    ADD COLUMN note TEXT DEFAULT '' NOT NULL,
    ADD COLUMN created_by UUID;

COMMENT ON COLUMN suppressions.created_by IS 'the API key that added it; null: a signal, or an erasure';

ALTER TABLE automation_settings ADD COLUMN country_policy JSONB DEFAULT '{}'::jsonb NOT NULL;

CREATE TABLE consent_log (
    id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    act TEXT NOT NULL,
    contact_id UUID,
    channel TEXT DEFAULT '' NOT NULL,
    address TEXT DEFAULT '' NOT NULL,
    was JSONB DEFAULT '{}'::jsonb NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    key_id UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_consent_log PRIMARY KEY (id),
    CONSTRAINT ck_consent_log_act CHECK (act IN ('lifted', 'erased')),
    CONSTRAINT fk_consent_log_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id)
);

CREATE INDEX ix_consent_log_workspace_id_address ON consent_log (workspace_id, address);

COMMENT ON TABLE consent_log IS 'suppressions taken back and people erased: who, when, why';

COMMENT ON COLUMN consent_log.contact_id IS 'whose data was erased; null for a suppression';

COMMENT ON COLUMN consent_log.key_id IS 'the API key that did it';

GRANT SELECT, INSERT, UPDATE ON consent_log TO cadenza_api, cadenza_worker;
ALTER TABLE consent_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent_log TO cadenza_api USING
    (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid);
CREATE POLICY worker ON consent_log TO cadenza_worker USING (true);

-- An erased person's address is kept as a fingerprint only, so that it is known again when it comes back. Addresses are
-- easy to guess, so the hash is salted, and the salt can be read by nobody but the owner: the functions' roles may ask
-- for a fingerprint, one address at a time. It lives in the database because a restored backup without it would forget
-- whom it must not write to. 244 random bits.
CREATE TABLE erasure_salt (
    one BOOLEAN DEFAULT true NOT NULL,
    salt BYTEA NOT NULL,
    CONSTRAINT pk_erasure_salt PRIMARY KEY (one),
    CONSTRAINT ck_erasure_salt_one CHECK (one)
);

COMMENT ON TABLE erasure_salt IS
    'one row: what makes fingerprint() hard to guess; no role but the owner may read it';

REVOKE ALL ON erasure_salt FROM cadenza_api, cadenza_worker;
INSERT INTO erasure_salt (salt) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- The workspace is part of what is hashed, so that two tenants' fingerprints of one person say nothing to each other.
CREATE FUNCTION fingerprint(workspace uuid, channel text, address text) RETURNS text
    LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT 'sha256:' || encode(
            sha256(s.salt || convert_to(workspace::text || ':' || channel || ':' || lower(btrim(address)), 'UTF8')), 'hex')
        FROM erasure_salt s
    $$;
REVOKE ALL ON FUNCTION fingerprint(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fingerprint(uuid, text, text) TO cadenza_api, cadenza_worker;

"""A crawl is dated, and what its provider reports of it has its effect once; addresses are checked."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE leads ADD COLUMN crawl_started_at TIMESTAMP WITH TIME ZONE")
    op.execute("UPDATE leads SET crawl_started_at = updated_at WHERE crawl_id IS NOT NULL")
    op.execute("""
        CREATE TABLE crawl_deliveries (
            workspace_id UUID NOT NULL,
            lead_id UUID NOT NULL,
            delivery_id TEXT NOT NULL,
            crawl_id TEXT NOT NULL,
            event TEXT NOT NULL,
            at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_crawl_deliveries PRIMARY KEY (lead_id, delivery_id),
            CONSTRAINT fk_crawl_deliveries_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspaces (id),
            CONSTRAINT fk_crawl_deliveries_lead_id FOREIGN KEY(lead_id) REFERENCES leads (id) ON DELETE CASCADE
        )
    """)
    op.execute("COMMENT ON TABLE crawl_deliveries IS 'what a crawl provider has reported, and has had its effect'")
    op.execute("""
        COMMENT ON COLUMN crawl_deliveries.delivery_id IS
            'the provider''s id of its webhook call; a repetition has the same'
    """)
    op.execute("GRANT SELECT, INSERT ON crawl_deliveries TO cadenza_worker")
    op.execute("ALTER TABLE crawl_deliveries ENABLE ROW LEVEL SECURITY")
    op.execute("""
        CREATE POLICY tenant ON crawl_deliveries TO cadenza_api USING
            (workspace_id = nullif(current_setting('cadenza.workspace_id', true), '')::uuid)
    """)
    op.execute("CREATE POLICY worker ON crawl_deliveries TO cadenza_worker USING (true)")
    op.execute("""
        ALTER TABLE contacts
            ADD COLUMN address_check TEXT DEFAULT 'unchecked' NOT NULL,
            ADD COLUMN address_checked_at TIMESTAMP WITH TIME ZONE,
            ADD CONSTRAINT ck_contacts_address_check
                CHECK (address_check IN ('unchecked', 'ok', 'unknown', 'no_domain', 'no_mx', 'disposable'))
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE contacts DROP COLUMN address_checked_at, DROP COLUMN address_check")
    op.execute("DROP TABLE crawl_deliveries")
    op.execute("ALTER TABLE leads DROP COLUMN crawl_started_at")

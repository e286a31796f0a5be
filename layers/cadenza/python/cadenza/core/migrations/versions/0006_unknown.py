"""Each workspace chooses what becomes of messages of which nobody knows whether they were sent."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE automation_settings
            ADD COLUMN unknown_policy TEXT DEFAULT 'fail' NOT NULL,
            ADD CONSTRAINT ck_automation_settings_unknown_policy
                CHECK (unknown_policy IN ('fail', 'assume_sent', 'resend'))
    """)
    op.execute("ALTER TABLE outbound_messages ADD COLUMN resends INTEGER DEFAULT 0 NOT NULL")
    op.execute("COMMENT ON COLUMN outbound_messages.resends IS 'by the policy for unknown ends'")


def downgrade() -> None:
    op.execute("ALTER TABLE outbound_messages DROP COLUMN resends")
    op.execute("ALTER TABLE automation_settings DROP COLUMN unknown_policy")

"""A campaign may be resumed without what its pause made stale."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE campaigns ADD COLUMN skip_due_before TIMESTAMP WITH TIME ZONE")
    op.execute("CREATE INDEX ix_contact_campaigns_draft ON contact_campaigns (campaign_id) WHERE status = 'draft'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_contact_campaigns_draft")
    op.execute("ALTER TABLE campaigns DROP COLUMN skip_due_before")

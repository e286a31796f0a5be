"""Imports of leads, handed out in steps; requests that are carried out once."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    op.execute("DROP TABLE idempotency_keys")
    op.execute("DROP INDEX ix_lead_batches_running")
    op.execute("ALTER TABLE lead_batches DROP COLUMN campaign_id, DROP COLUMN counts, DROP COLUMN handed_out_at")

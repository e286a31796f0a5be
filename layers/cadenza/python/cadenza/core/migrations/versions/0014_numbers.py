"""What is planned, and reports: the shape of a plan, and the indexes that figures are read by."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    op.execute("DROP INDEX ix_message_events_replied")
    op.execute("DROP INDEX ix_finished_actions_dropped")
    op.execute("DROP INDEX ix_outbound_messages_counted")
    op.execute("ALTER TABLE campaign_plans DROP COLUMN shape")
    op.execute("DROP FUNCTION plan_shape")

"""Campaigns that take contacts by themselves, and companies whose people are written to one after another."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: whose turn it is would be lost")

"""Types of campaigns, and who did what."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: the log of who did what would be lost")

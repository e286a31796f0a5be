"""Hand-written content: a campaign's own plan, its scheduled start, the end of its intake."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: which campaigns take nobody any more would be lost")

"""AI calls have a gate: reservations, leases, kept answers, a breaker of the installation. Jobs count their runs."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: what calls came to is not kept anywhere else")

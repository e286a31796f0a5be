"""Pace and reputation: claims and places in line, gaps and frequency, providers' quotas, when a scope was resumed."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: what was counted meanwhile cannot be put back")

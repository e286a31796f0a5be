"""Consent: provenance of suppressions, bases and countries' policies, erasure that keeps addresses unreachable."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: fingerprints cannot be turned back into addresses")

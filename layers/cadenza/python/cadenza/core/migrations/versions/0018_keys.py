"""What a key may take and when it was last used; who made and revoked keys."""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead")

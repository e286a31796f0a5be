"""What signals mean for people: one hold a person, and the settings of bounces, absences and scanners."""

from alembic import op

revision = "0002"
down_revision = "0001"

_SQL = """
-- Of several holds of a person the longest counted: it stays.
DELETE FROM holds h USING holds longer
WHERE longer.contact_id = h.contact_id AND (longer.until, longer.id) > (h.until, h.id);
ALTER TABLE holds ADD CONSTRAINT uq_holds_contact_id UNIQUE (contact_id);
DROP INDEX ix_holds_contact_id_until;

ALTER TABLE automation_settings
    ADD COLUMN soft_bounce_limit INTEGER DEFAULT 3,
    ADD COLUMN soft_bounce_days INTEGER DEFAULT 30 NOT NULL,
    ADD COLUMN absence_days INTEGER DEFAULT 7 NOT NULL,
    ADD COLUMN scan_window_s INTEGER DEFAULT 60 NOT NULL;
COMMENT ON COLUMN automation_settings.soft_bounce_limit IS
    'the soft bounce of an address that acts as a hard one; null: none does';
COMMENT ON COLUMN automation_settings.soft_bounce_days IS 'soft bounces count together within this many days';
COMMENT ON COLUMN automation_settings.absence_days IS 'how long an absence without a date holds a person';
COMMENT ON COLUMN automation_settings.scan_window_s IS
    'opens and clicks this soon after delivery are taken for a scanner''s; 0: none are';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead: which holds were merged is not kept")

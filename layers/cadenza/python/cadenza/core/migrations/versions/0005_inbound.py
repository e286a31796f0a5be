"""Finding the message that a mail is about: by its provider's id, or by who wrote to whom."""

from alembic import op

revision = "0005"
down_revision = "0004"

INDEXES = """
CREATE INDEX ix_sender_identities_email ON sender_identities (lower(email));
CREATE INDEX ix_sender_identities_reply_to ON sender_identities (lower(reply_to)) WHERE reply_to <> '';
CREATE INDEX ix_outbound_messages_provider_message_id ON outbound_messages (provider_message_id)
    WHERE provider_message_id IS NOT NULL;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(INDEXES)


def downgrade() -> None:
    raise NotImplementedError("restore a snapshot instead")

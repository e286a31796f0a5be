"""What operators do with senders: add them, change them, pause them, let them send again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from cadenza.campaigns.model import NewSender, NewSmtp, SenderChange
from cadenza.campaigns.store import create_sender, save_account, sender, warm_up_json
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, NotFound
from cadenza.core.ids import SenderId, WorkspaceId, new_id
from cadenza.delivery import outbox, reputation
from cadenza.delivery.providers.accounts import SMTP
from cadenza.delivery.providers.passwords import Passwords
from cadenza.engine.apply import FollowUp
from cadenza.engine.dispatch import Dispatcher


@dataclass(frozen=True, slots=True)
class Senders:
    """The operator's side of one workspace's senders."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    clock: Clock
    passwords: Passwords

    def create(self, new: NewSender) -> SenderId:
        """Add a sender identity. Its password is stored first: without a row nobody ever reads it.

        Raises:
            Conflict: The workspace has one with this address.
            Retryable: The password could not be stored; nothing is added.
        """
        sender_id = SenderId(new_id())
        has_password = new.smtp is not None and self._store_password(sender_id, new.smtp)
        with self.database.workspace(self.workspace_id) as conn:
            made = create_sender(conn, self.workspace_id, sender_id, new, self.clock())
        if not made:
            if has_password:
                self.passwords.drop(sender_id)
            raise Conflict(f"there is a sender with the address {new.email}", (FieldProblem("/email", "taken"),))
        return sender_id

    def set_smtp(self, sender_id: SenderId, smtp: NewSmtp) -> None:
        """Let the sender's mail leave by this mailbox from now on. A sender that was paused stays so.

        Raises:
            NotFound: No such sender.
            Retryable: The password could not be stored; nothing is changed.
        """
        with self.database.workspace(self.workspace_id) as conn:
            if sender(conn, sender_id) is None:
                raise NotFound("sender", sender_id)
        self._store_password(sender_id, smtp)
        with self.database.workspace(self.workspace_id) as conn:
            save_account(conn, sender_id, SMTP, smtp.account)

    def _store_password(self, sender_id: SenderId, smtp: NewSmtp) -> bool:
        """Whether there was one to store."""
        password = smtp.password.get_secret_value()
        if password:
            self.passwords.put(sender_id, password)
        return bool(password)

    def change(self, sender_id: SenderId, change: SenderChange) -> None:
        """Change what the caller has set; the next claim goes by it.

        Raises:
            NotFound: No such sender.
        """
        values = change.model_dump(exclude_unset=True)
        if "warm_up" in values:
            values["warm_up"] = warm_up_json(change.warm_up)
        columns = ["name", "company", "postal_address", "reply_to", "daily_cap", "warm_up"]
        written = ", ".join(
            f"{column} = " + ("CAST(:warm_up AS jsonb)" if column == "warm_up" else f":{column}")
            for column in columns
            if column in values
        )
        with self.database.workspace(self.workspace_id) as conn:
            query = text(f"UPDATE sender_identities SET {written or 'id = id'} WHERE id = :id")
            if not conn.execute(query, values | {"id": sender_id}).rowcount:
                raise NotFound("sender", sender_id)

    def pause(self, sender_id: SenderId, reason: str = "") -> None:
        """Pause: one row changes, and from its commit on the gate lets nothing of this sender pass (I3).

        Raises:
            NotFound: No such sender.
            Conflict: It is paused.
        """
        self._move(sender_id, paused=True, reason=reason)

    def resume(self, sender_id: SenderId) -> None:
        """Send again: what came due meanwhile is handed on from now on, one after the other.

        What went out before no longer counts for the sender's reputation.

        Raises:
            NotFound: No such sender.
            Conflict: It is not paused.
        """
        self._move(sender_id, paused=False, reason="")

    def _move(self, sender_id: SenderId, *, paused: bool, reason: str) -> None:
        now = self.clock()
        parameters = {"id": sender_id, "now": now, "reason": reason, "paused": paused}
        with self.database.workspace(self.workspace_id) as conn:
            if not conn.execute(_MOVE, parameters).rowcount:
                if sender(conn, sender_id) is None:
                    raise NotFound("sender", sender_id)
                raise Conflict("the sender is paused already" if paused else "the sender is not paused")
            if paused:
                return
            reputation.forgive(conn, "sender", sender_id)
            messages = tuple(outbox.bring_back(conn, sender_id, now))
        self.dispatcher.dispatch(FollowUp(messages=messages), now)


# Zero rows: it is in that state already, or there is no such sender.
_MOVE = text("""
    UPDATE sender_identities
    SET paused_at = CASE WHEN :paused THEN CAST(:now AS timestamptz) END,
        paused_reason = CASE WHEN :paused THEN :reason ELSE '' END,
        resumed_at = CASE WHEN :paused THEN resumed_at ELSE CAST(:now AS timestamptz) END
    WHERE id = :id AND (paused_at IS NULL) = :paused
""")

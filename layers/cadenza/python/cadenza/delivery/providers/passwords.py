"""Passwords of sender identities: SecureString parameters of Systems Manager, one a sender, encrypted by KMS.

The API's function may write them and not read them, the send function may read them and not write them; they are in no
environment, no queue, no log and not in Postgres.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cadenza.core import aws
from cadenza.core.errors import Retryable
from cadenza.core.ids import SenderId

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

KEPT_S: Final = 300.0
"""How long a process uses a password before it asks again. A refused one is asked for anew at once."""


class Passwords:
    """The passwords of one installation's senders."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``path`` is the parameters' common path (``SENDER_SECRETS_PATH``); ``clock`` counts seconds."""
        self._path = path.rstrip("/")
        self._clock = clock
        self._kept: dict[SenderId, tuple[float, str]] = {}

    def put(self, sender_id: SenderId, password: str) -> None:
        """Store or replace a sender's password.

        Raises:
            Retryable: Systems Manager did not take it.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        try:
            aws.ssm().put_parameter(
                Name=self._name(sender_id), Value=password, Type="SecureString", Overwrite=True, Tier="Standard"
            )
        except (BotoCoreError, ClientError) as error:
            raise _trouble(error) from error

    def drop(self, sender_id: SenderId) -> None:
        """Forget a sender's password; harmless where there is none.

        Raises:
            Retryable: Systems Manager was away.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        try:
            aws.ssm().delete_parameter(Name=self._name(sender_id))
        except (BotoCoreError, ClientError) as error:
            if not _is_missing(error):
                raise _trouble(error) from error

    def get(self, sender_id: SenderId, *, anew: bool = False) -> str | None:
        """A sender's password; None where there is none. ``anew`` asks even if the process knows one.

        Raises:
            Retryable: Systems Manager was away.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        kept_until, password = self._kept.get(sender_id, (0.0, ""))
        if not anew and self._clock() < kept_until:
            return password
        self._kept.pop(sender_id, None)
        try:
            answer = aws.ssm().get_parameter(Name=self._name(sender_id), WithDecryption=True)
        except (BotoCoreError, ClientError) as error:
            if _is_missing(error):
                return None
            raise _trouble(error) from error
        found = answer["Parameter"].get("Value", "")
        self._kept[sender_id] = (self._clock() + KEPT_S, found)
        return found

    def _name(self, sender_id: SenderId) -> str:
        return f"{self._path}/{sender_id}"


def _code(error: BotoCoreError | ClientError) -> str:
    response: dict[str, dict[str, str]] = getattr(error, "response", {})
    return response.get("Error", {}).get("Code", "") or type(error).__name__


def _is_missing(error: BotoCoreError | ClientError) -> bool:
    return _code(error) == "ParameterNotFound"


def _trouble(error: BotoCoreError | ClientError) -> Retryable:
    # Its code only: a refusal may quote what it refuses.
    return Retryable(f"Parameter Store: {_code(error)}")

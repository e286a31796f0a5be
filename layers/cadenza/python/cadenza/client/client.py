"""The client: every concept of the API is an attribute, every operation a method of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import sleep as real_sleep
from types import TracebackType
from typing import Self

from cadenza.client.api import Api
from cadenza.client.concepts import Concepts
from cadenza.client.transport import DEFAULT_TIMEOUT_S, HttpTransport, Patience
from cadenza.core.errors import InvalidInput


class Client(Concepts):
    """The API at ``url``, in the workspace of ``api_key``. It may be used in a ``with`` block.

    What is left out is read from CADENZA_URL and CADENZA_API_KEY. ``patience`` says how long to try again.
    """

    def __init__(
        self,
        url: str = "",
        api_key: str = "",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = real_sleep,
    ) -> None:
        url = url or os.environ.get("CADENZA_URL", "")
        api_key = api_key or os.environ.get("CADENZA_API_KEY", "")
        if not url:
            raise InvalidInput("say where the API is: url, or CADENZA_URL")
        self._transport = HttpTransport(url, api_key, timeout_s=timeout_s, patience=patience, sleep=sleep)
        super().__init__(Api(self._transport))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

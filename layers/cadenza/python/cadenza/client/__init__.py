"""The API's client: a typed method for each operation (docs/client.md)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadenza.client.client import Client
    from cadenza.client.errors import ApiError, Problem, UnexpectedAnswer, Unreachable
    from cadenza.client.transport import Patience

__all__ = ["ApiError", "Client", "Patience", "Problem", "UnexpectedAnswer", "Unreachable"]

_HOMES = {"Client": "client", "Patience": "transport"}


def __getattr__(name: str) -> object:
    """Import what is asked for: the command passes here too, and needs no models."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)

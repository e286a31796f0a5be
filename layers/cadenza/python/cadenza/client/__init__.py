"""The API's client: a typed method for each operation (docs/client.md)."""

from cadenza.client.client import Client
from cadenza.client.errors import ApiError, Problem, UnexpectedAnswer, Unreachable
from cadenza.client.transport import Patience

__all__ = ["ApiError", "Client", "Patience", "Problem", "UnexpectedAnswer", "Unreachable"]

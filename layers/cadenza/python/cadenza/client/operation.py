"""How the command knows an operation of the API."""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """One thing that an operation takes. ``keys`` lead to it, within ``place``: ``query``, ``header`` or ``body``.

    ``kind``: ``text``, ``secret``, ``integer``, ``number``, ``flag`` or ``json``.
    ``form``: a text's format (``date-time``).
    """

    keys: tuple[str, ...]
    place: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    many: bool = False
    nullable: bool = False
    required: bool = False
    form: str = ""
    help: str = ""

    @property
    def flag(self) -> str:
        """How it is written."""
        return "--" + ".".join(self.keys).replace("_", "-").lower()


class Operation(NamedTuple):
    """One operation. ``ids`` fill the ``{}`` of its path; ``media`` are the types of a body that is no JSON object."""

    verb: str
    method: str
    path: str
    summary: str
    ids: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    has_body: bool = False
    creates: bool = False
    dangerous: bool = False

    def takes(self, name: str, place: str) -> bool:
        """Whether there is such an option."""
        return any(each.keys == (name,) and each.place == place for each in self.options)

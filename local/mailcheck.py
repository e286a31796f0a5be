"""Mails held to the RFCs by `scripts/check-mails`, which reads them with a parser that did not make them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

ROOT: Final = Path(__file__).resolve().parent.parent
SCRIPT: Final = ROOT / "scripts" / "check-mails"
RFCS: Final = "RFC 5322, 2045-2047, 2369 and 8058"


class Reading(BaseModel):
    """What the other parser reads in a mail, decoded."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    subject: str = ""
    text: str = ""
    html: str = ""


class CheckedMail(BaseModel):
    """One mail. ``problems`` begin with the section that forbids them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: Path
    problems: tuple[str, ...]
    read: Reading


_CHECKED: Final = TypeAdapter(list[CheckedMail])


def check_mails(files: Sequence[Path], *, is_local: bool = False) -> list[CheckedMail]:
    """Check the files. ``is_local`` lets the opt-out lead to this machine, without TLS.

    Raises:
        subprocess.SubprocessError: The script did not run; its words are on standard error.
    """
    if not files:
        return []
    options = ["--json", *(["--local"] if is_local else [])]
    command = ["node", str(SCRIPT), *options, *map(str, files)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if done.returncode not in {0, 1}:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return _CHECKED.validate_json(done.stdout)

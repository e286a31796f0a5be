"""All generated files, formatted as everything else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from codegen import classes, methods, options
from codegen.document import Described

ROOT: Final = Path(__file__).parents[1]
CLIENT: Final = ROOT / "layers" / "cadenza" / "python" / "cadenza" / "client"
FOLDERS: Final = ("concepts", "operations")
"""Folders in which everything is generated."""


def make(described: Described) -> dict[str, str]:
    """What each file is to contain, by its path within the client."""
    files = {
        "answers.py": classes.answers(described),
        "bodies.py": classes.bodies(described),
        "kinds.py": classes.kinds(described),
        "concepts/__init__.py": methods.concepts(described),
        "operations/__init__.py": options.groups(described),
    }
    for name, found in described.concepts().items():
        files[f"concepts/{name}.py"] = methods.concept(described, name, found)
        files[f"operations/{name}.py"] = options.operations(described, name, found)
    return _formatted(files)


def committed() -> dict[str, str]:
    """What is there now."""
    paths = [CLIENT / name for name in ("answers.py", "bodies.py", "kinds.py")]
    paths += [path for folder in FOLDERS for path in (CLIENT / folder).glob("*.py")]
    return {str(path.relative_to(CLIENT)): path.read_text("utf-8") for path in paths if path.exists()}


def write(files: dict[str, str]) -> None:
    """Put them in place, and take away what is not made any more."""
    for name in committed().keys() - files.keys():
        (CLIENT / name).unlink()
    for name, text in files.items():
        path = CLIENT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


def _formatted(files: dict[str, str]) -> dict[str, str]:
    """As ruff has it; imports that a module does not need are taken out."""
    ruff = (sys.executable, "-m", "ruff")
    config = f"--config={ROOT / 'pyproject.toml'}"
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        fixes = (
            "check",
            "--select=F401,I",
            "--fix",
            "--quiet",
            config,
            "--config=lint.isort.known-first-party=['cadenza']",
            folder,
        )
        for command in (fixes, ("format", "--quiet", config, folder)):
            subprocess.run((*ruff, *command), check=True)  # noqa: S603 - our own tool on our own files
        return {name: Path(folder, name).read_text("utf-8") for name in files}

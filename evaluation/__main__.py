"""``python -m evaluation``: score the analyst and the planner, and exit with 1 if a bar is missed.

With OPENAI_API_KEY in the environment (and OPENAI_BASE_URL, OPENAI_MODEL as for the functions) the model is scored.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console

from cadenza.core.ai import AiBusy, client_for
from cadenza.core.errors import ConfigurationError
from cadenza.core.settings import AiSettings, load
from evaluation.run import run_block
from evaluation.table import as_json, holds, show, show_mails
from evaluation.truth import BLOCKS


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run it. 0: all bars are met; 1: one is not; 2: it could not be run."""
    options = _parser().parse_args(arguments)
    console = console or Console(width=170)
    try:
        settings = load(AiSettings)
        with ExitStack() as stack:
            client = None if options.offline else client_for(settings, os.environ.get("OPENAI_API_KEY", ""))
            if client is not None:
                stack.enter_context(client)
            blocks = [
                run_block(name, folder, client, options.site, options.plans)
                for name, folder in BLOCKS.items()
                if folder.is_dir()
            ]
    except (ConfigurationError, AiBusy) as error:
        print(f"evaluation: {error}", file=sys.stderr)
        return 2
    blocks = [block for block in blocks if block.sites]
    if not blocks:
        print(f"evaluation: no sample site has {options.site!r} in its name", file=sys.stderr)
        return 2
    if options.json:
        console.print(json.dumps(as_json(blocks), ensure_ascii=False, indent=2), markup=False, soft_wrap=True)
    else:
        show(blocks, console)
    if options.mails:
        show_mails(blocks, console)
    return 0 if all(holds(block) for block in blocks) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--site", default="", metavar="NAME", help="only the sites with NAME in their domain")
    parser.add_argument("--plans", type=int, metavar="N", help="at most N plans a site (a model is paid by the plan)")
    parser.add_argument("--mails", action="store_true", help="print every mail as well")
    parser.add_argument("--offline", action="store_true", help="score the rules, whatever is configured")
    return parser


if __name__ == "__main__":
    sys.exit(main())

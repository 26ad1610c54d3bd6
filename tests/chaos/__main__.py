"""Break things: `python -m tests.chaos --help`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `stream.cli` does for every program

from rich.console import Console

from tests.chaos import options, report, run
from tests.chaos.goals import broken


def main() -> int:
    """One run; 1 if anything differs from the undisturbed one."""
    console = Console() if sys.stdout.isatty() else Console(width=150)
    asked = options.parse()
    began = time.monotonic()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it is broken on purpose

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f}[/dim]  {text}", highlight=False)

    found = asyncio.run(run.work(asked, say))
    report.write(found, asked.directory)
    report.show(console, found)
    if asked.page is not None:
        report.write_page(found, asked.page)
    wrong = broken(found)
    for each in wrong:
        console.print(f"broken: {each}", style="red", markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

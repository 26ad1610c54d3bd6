"""`python -m evaluation`: evaluates logs, keeps the results, and puts the figures into docs/evaluation.md."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import click

from evaluation.logs import NAMES, ROOT, Log, logs
from evaluation.page import write
from stream.errors import BandshiftError

RESULTS: Final = Path(__file__).parent / "results"
PAGE: Final = ROOT / "docs" / "evaluation.md"
_HORIZONS: Final = (28, 7)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--log", "names", multiple=True, type=click.Choice(NAMES), help="Only this one.")
@click.option(
    "--horizon", "horizons", multiple=True, type=click.IntRange(1, 365), help="Days. [28 and 7]"
)
@click.option("--page/--no-page", default=True, help="Write the figures into docs/evaluation.md.")
def main(names: tuple[str, ...], horizons: tuple[int, ...], *, page: bool) -> None:
    """Evaluate purchases on each log, one after the other; results go to evaluation/results/."""
    try:
        found = logs(names or NAMES)
    except BandshiftError as error:
        raise click.ClickException(f"{error}\n  {error.hint or ''}".rstrip()) from error
    for remark in found.remarks:
        click.echo(remark, err=True)
    for log in found.logs:
        for horizon in horizons or _HORIZONS:
            _evaluate(log, horizon)
    if page:
        write(PAGE, RESULTS)
        click.echo(f"figures written to {PAGE.relative_to(ROOT)}")


def _evaluate(log: Log, horizon: int) -> None:
    """One run, in a process of its own: the memory of one log is gone before the next."""
    out, began = RESULTS / f"{log.name}-{horizon}", time.monotonic()
    click.echo(f"\n{log.name}, {horizon} days")
    words = ["--outcome-types", "purchase", "--horizon", str(horizon), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "evaluate", str(log.path), *words],
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        sys.exit(done.returncode)
    click.echo(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(prog_name="python -m evaluation")

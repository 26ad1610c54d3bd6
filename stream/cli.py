"""The command `bandshift`: finds the command that is meant, and says what went wrong in one line.

A command's module is imported when it is called: `bandshift --help` must not wait a second for Faust.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any, Final

import click

from stream.errors import BandshiftError

# Before anything can import numpy. The learner's matrices are small: an evaluation took 68 s with one BLAS
# thread per core against 24 s with one, and sums come out the same whatever the number of cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "worker": ("worker", "Score touchpoints until told to stop."),
    "learner": ("learner", "Learn from outcomes until told to stop."),
    "api": ("api", "Serve the HTTP API and the call-center page."),
    "demo": ("start_demo", "Show everything at work on a real shop's touchpoints."),
    "import": ("import_", "Bring past touchpoints in, before going live."),
    "live": ("live", "Let the broker's clock rule, and triggers go out."),
    "adopt": ("adopt", "Let the settings' types, outcomes and rules take effect."),
    "replay": ("replay", "Score a file in a namespace of its own, which never goes live."),
    "rebuild": (
        "rebuild",
        "Copy the log into a new namespace, to make all states anew.",
    ),
    "tail": ("tail", "Show what comes out, as it comes."),
    "score": ("score", "Show a customer's bands, probabilities and reasons as of now."),
    "dlq": ("dlq", "Look at dead letters, and send them back in."),
    "model": ("model", "Look at what was learned; promote a challenger, or roll back."),
    "evaluate": ("evaluate", "Measure on a log how good the scores are, beside other models."),
    "digest": ("digest", "Print one hash over all customers' states."),
    "topics": ("topics", "List the topics and how they are set up; --create makes them."),
    "doctor": ("doctor", "Say what is wrong and what to do about it."),
}
"""Name -> module in `stream.commands`, and the first line of its help."""


class Commands(click.Group):
    """Imports a command when it is called; turns every error that a user can put right into a line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"stream.commands.{COMMANDS[cmd_name][0]}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run; a BandshiftError becomes one line and its hint, with exit status 1; Ctrl-C ends with 130."""
        try:
            return super().invoke(ctx)
        except BandshiftError as error:
            _complain(str(error), error.hint)
        except KeyboardInterrupt:
            click.echo(err=True)  # the terminal has shown ^C
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            _complain(
                f"unexpected {type(error).__name__}: {' '.join(str(error).split())}",
                "this is a fault of bandshift; `bandshift --debug ...` shows where it happened",
            )
        return ctx.exit(1)


def _complain(message: str, hint: str | None) -> None:
    click.echo(f"bandshift: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


@click.group("bandshift", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bandshift", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show where an unexpected error happened.")
def main(*, debug: bool) -> None:
    """Score customers while things happen.

    Touchpoints on Kafka in; probabilities, band changes and triggers out.

    Settings come from the environment (BANDSHIFT_...) and bandshift.toml; `bandshift doctor` shows each
    value and where it came from.
    """
    del debug
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a letter of a customer's name must not end the command.
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main(prog_name="bandshift")

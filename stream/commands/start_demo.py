"""bandshift demo."""

from __future__ import annotations

import click


@click.command("demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    envvar="DEMO_SECONDS",
    show_envvar=True,
    help="End by itself after so long, with a summary.",
)
def command(seconds: float | None) -> None:
    """Show everything at work on a real shop's touchpoints.

    Starts a Kafka and a Redis of its own, a worker, the learner and the API; nothing is left running.
    """
    from stream.commands.demo import run  # noqa: PLC0415 -- so that --help needs no engine

    run(seconds)

"""bandshift worker."""

from __future__ import annotations

import asyncio
import logging

import click

from stream import app, checks
from stream.commands.common import configured, settings_for
from stream.commands.service import beating, hush, log_to_stderr, until_stopped
from stream.settings import Settings

logger = logging.getLogger("bandshift.worker")


@click.command("worker")
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Go on where the log no longer reaches back to the states: what lies between is lost for good.",
)
@configured
def command(namespace: str | None, *, accept_loss: bool) -> None:
    """Score touchpoints until told to stop.

    Any number of workers share the partitions of a namespace. Asked to stop (SIGTERM, Ctrl-C), a worker
    finishes its batch, commits, leaves the group and exits with status 0.
    """
    settings = settings_for(namespace)
    if accept_loss:
        worker = settings.worker.model_copy(update={"accept_loss": True})
        settings = settings.model_copy(update={"worker": worker})
    log_to_stderr()
    until_stopped(lambda stop: _work(settings, stop))


async def _work(settings: Settings, stop: asyncio.Event) -> None:
    hush()
    await checks.require(settings)
    hush(logging.WARNING)
    logger.info("at work; namespace %r", settings.namespace)
    await beating(settings.worker.heartbeat_file, stop, app.run(settings, stop))
    logger.info("stopped")

"""bandshift learner."""

from __future__ import annotations

import asyncio
import logging

import click

from stream import app, checks
from stream.commands.common import configured, require_learning, settings_for
from stream.commands.service import beating, hush, log_to_stderr, until_stopped
from stream.settings import Settings

logger = logging.getLogger("bandshift.learner")


@click.command("learner")
@configured
def command(namespace: str | None) -> None:
    """Learn from outcomes until told to stop.

    Learners of a namespace share its outcomes; one is enough, a second one stands by. A learner that is
    stopped, or killed, goes on where it was, to the same weights.
    """
    settings = settings_for(namespace)
    require_learning(settings)
    log_to_stderr()
    until_stopped(lambda stop: _learn(settings, stop))


async def _learn(settings: Settings, stop: asyncio.Event) -> None:
    hush()
    await checks.require(settings)
    hush(logging.WARNING)
    logger.info("learning; namespace %r", settings.namespace)
    await beating(settings.worker.heartbeat_file, stop, app.learn(settings, stop))
    logger.info("stopped")

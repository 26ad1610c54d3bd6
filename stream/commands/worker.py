"""bandshift worker."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from stream import app, checks
from stream.commands.common import configured, settings_for
from stream.commands.service import hush, log_to_stderr, until_stopped
from stream.errors import SettingsError
from stream.settings import Settings

_HEARTBEAT_SECONDS: Final = 5.0

logger = logging.getLogger("bandshift.worker")


@click.command("worker")
@configured
def command(namespace: str | None) -> None:
    """Score touchpoints until told to stop.

    Any number of workers share the partitions of a namespace. Asked to stop (SIGTERM, Ctrl-C), a worker
    finishes its batch, commits, leaves the group and exits with status 0.
    """
    settings = settings_for(namespace)
    log_to_stderr()
    until_stopped(lambda stop: _work(settings, stop))


async def _work(settings: Settings, stop: asyncio.Event) -> None:
    hush()
    await checks.require(settings)
    hush(logging.WARNING)
    beating = asyncio.create_task(_beat(settings.worker.heartbeat_file))
    logger.info("at work; namespace %r", settings.namespace)
    work = asyncio.create_task(app.run(settings, stop))
    try:
        await asyncio.wait({work, beating}, return_when=asyncio.FIRST_COMPLETED)
        if beating.done() and not work.done():
            stop.set()
        await work
        if beating.done():
            await beating
    finally:
        beating.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(beating, work, return_exceptions=True)
    logger.info("stopped")


async def _beat(file: Path | None) -> None:
    """Touch the heartbeat file every few seconds, for as long as the event loop lives."""
    while True:
        if file is not None:
            try:
                await asyncio.to_thread(file.touch)
            except OSError as error:
                raise SettingsError(
                    f"worker.heartbeat_file: expected a file that can be written, {file}: {error.strerror}"
                ) from None
        await asyncio.sleep(_HEARTBEAT_SECONDS)

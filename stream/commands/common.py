"""What the commands share: their options, how they run, and what they let libraries say."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from schemas.fields import Identifier
from stream.broker import client, setup
from stream.broker.topics import Topics
from stream.errors import SettingsError
from stream.settings import CONFIG_VARIABLE, Settings, load

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


_IDENTIFIER: Final[TypeAdapter[str]] = TypeAdapter(Identifier)


def customer_id(_ctx: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Check a customer's id given on the command line."""
    try:
        return _IDENTIFIER.validate_python(text)
    except (ValidationError, UnicodeError) as error:
        raise click.BadParameter(
            "expected 1 to 256 bytes of UTF-8, no space at its ends, nothing that cannot be seen"
        ) from error


def _use(_ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        # In the environment, so that whatever this process starts reads the same file.
        os.environ[CONFIG_VARIABLE] = str(path)


def configured_without_namespace(command: Command) -> Command:
    """Give a command --config."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=_use,
        expose_value=False,
        is_eager=True,
        metavar="FILE",
        help="Read settings from this TOML file instead of bandshift.toml.",
    )(command)


def configured(command: Command) -> Command:
    """Give a command --config and --namespace; it is called with `namespace`."""
    return configured_without_namespace(
        click.option(
            "--namespace", metavar="NAME", help="Use the topics and keys of this namespace."
        )(command)
    )


def settings_for(namespace: str | None) -> Settings:
    """The settings, in the namespace asked for."""
    return load() if namespace is None else load(namespace=namespace)


def require_learning(settings: Settings) -> None:
    """Raises SettingsError where nothing is learned in this deployment."""
    if not settings.learning.enabled:
        raise SettingsError(
            "learning.enabled: expected true, nothing is to be learned here",
            "set BANDSHIFT_LEARNING__ENABLED=true for all programs of this deployment",
        )


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work, with libraries kept quiet: what they would say becomes one line of ours."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return asyncio.run(work)


async def partitions_of(settings: Settings) -> int:
    """How many partitions the settings' namespace has."""
    async with client.admin(settings.kafka) as admin:
        return await setup.partitions(admin, Topics(settings.namespace))


def emit(data: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(data, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))

"""The page of all commands, as `bandshift ... --help` tells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from stream.cli import main

_WIDTH: Final = 90


def cli_page(head: str) -> str:
    """The page; `head` is its first line."""
    parts = [
        head,
        "# Commands",
        "",
        "Every command answers `--help`. Settings come from the environment (`BANDSHIFT_...`) and one TOML",
        "file; `bandshift doctor` shows each value and where it came from. What goes wrong is one line and",
        "what to do about it.",
        "",
        "| exit status | means |",
        "| --- | --- |",
        "| 0 | done, or stopped as asked |",
        "| 1 | something is wrong, and said on standard error |",
        "| 2 | the command was called in a way it does not know |",
        "| 130 | ended by Ctrl-C |",
    ]
    for name, text in _helps(main, "bandshift"):
        parts += ["", f"## {name}", "", "```text", text, "```"]
    return "\n".join(parts) + "\n"


def _helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """(full name, help) of a command and of those below it."""
    context = click.Context(
        command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    context.help_option_names = ["-h", "--help"]
    yield name, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None:
                yield from _helps(found, f"{name} {each}")

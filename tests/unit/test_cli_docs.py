"""Every command and setting that the how-to pages show is one that exists."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from stream.cli import main
from stream.settings import Settings, load

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.md"))
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """A line of a shell block that calls `bandshift`."""

    page: str
    line: str


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for _, name, text in found if name == language]


def calls() -> list[Snippet]:
    """All calls of `bandshift` in all pages."""
    return [
        Snippet(page.name, line.strip())
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if re.search(r"(^|[\s|=])bandshift\s", line)
    ]


def test_there_are_pages_with_commands() -> None:
    """The pages of the operator's tasks show commands."""
    assert {"import-history.md", "replay.md", "dead-letters.md", "operate.md"} <= {
        snippet.page for snippet in calls()
    }


@pytest.mark.parametrize("snippet", calls(), ids=lambda snippet: snippet.line)
def test_every_command_is_understood(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command exists, and takes these options with these values."""
    monkeypatch.setenv("BANDSHIFT_CONFIG", "")  # restored at the end, whatever --config makes of it
    words = shlex.split(snippet.line.rpartition("|")[2])
    while "=" in words[0]:
        words.pop(0)
    assert words.pop(0) == "bandshift"
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    command.make_context(command.name, words)


def test_every_variable_is_a_setting() -> None:
    """Each BANDSHIFT_ variable that a page names leads to a setting."""
    for page in PAGES:
        for name in re.findall(r"\bBANDSHIFT_(\w+)=", page.read_text(encoding="utf-8")):
            model: object = Settings
            for part in name.lower().split("__"):
                fields = model.model_fields  # type: ignore[attr-defined]
                assert part in fields, f"{page.name}: BANDSHIFT_{name}"
                model = fields[part].annotation


def test_every_settings_file_is_valid() -> None:
    """Each block of TOML is a settings file that loads."""
    for page in PAGES:
        for block in blocks(page, "toml"):
            assert isinstance(load(**tomllib.loads(block)), Settings)

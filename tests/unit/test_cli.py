"""The command line itself: quick, complete, and clear about what went wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from stream import cli
from stream.errors import BandshiftError

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Calls `bandshift`, away from any settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("BANDSHIFT_CONFIG", "BANDSHIFT_NAMESPACE", "BANDSHIFT_CONTROL__KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str) -> Result:
        # What --config puts into the environment is taken out again.
        return CliRunner(env={"BANDSHIFT_CONFIG": None}).invoke(cli.main, words)

    return call


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `bandshift digest` end with an error."""

    @click.command("digest")
    def command() -> None:
        raise error

    monkeypatch.setattr("stream.commands.digest.command", command)


def test_help_imports_nothing_heavy() -> None:
    """`bandshift --help` loads neither Faust, Kafka's client, Redis's, numpy nor pydantic."""
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from stream.cli import main\n"
        "result = CliRunner().invoke(main, ['--help'])\n"
        "assert result.exit_code == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    heavy = {"faust", "mode", "aiokafka", "redis", "numpy", "pydantic", "rich", "fastapi"}
    assert not heavy & set(done.stdout.split())


def test_help_lists_every_command(invoke: Invoke) -> None:
    """Every command stands in the help, in one line each."""
    lines = invoke("--help").output.splitlines()
    width = max(map(len, cli.COMMANDS))

    for name, (_, text) in cli.COMMANDS.items():
        assert f"{name:{width}}  {text}" in [line.strip() for line in lines]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, invoke: Invoke) -> None:
    """Each command answers --help, and its first line is the one that stands in the list."""
    result = invoke(name, "--help")

    assert result.exit_code == 0, result.output
    assert cli.COMMANDS[name][1] in result.output


def test_an_unknown_command_is_named(invoke: Invoke) -> None:
    """A command that does not exist is an error of usage that names it."""
    result = invoke("scroe")

    assert result.exit_code == 2
    assert "No such command 'scroe'" in result.output


def test_an_error_is_one_line_and_a_hint(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user can put right becomes a line and what to do about it, with exit status 1."""
    failing(monkeypatch, BandshiftError("Kafka is down", "start it"))

    result = invoke("digest")

    assert result.exit_code == 1
    assert result.stderr == "bandshift: Kafka is down\n  start it\n"
    assert result.stdout == ""


def test_a_fault_of_ours_is_one_line_too(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error shows no traceback, unless --debug asks for it."""
    failing(monkeypatch, ValueError("two\nlines"))

    result = invoke("digest")
    debugged = invoke("--debug", "digest")

    assert result.exit_code == 1
    assert result.stderr.startswith("bandshift: unexpected ValueError: two lines\n  ")
    assert isinstance(debugged.exception, ValueError)


def test_an_interrupt_ends_with_130(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command with the exit status of an interrupt, and says nothing."""
    failing(monkeypatch, KeyboardInterrupt())

    result = invoke("digest")

    assert result.exit_code == 130
    assert result.output.strip() == ""


@pytest.mark.parametrize("name", ["worker", "api", "import", "live", "tail", "doctor", "digest"])
def test_a_wrong_setting_stops_every_command(
    name: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong setting is named, with what was expected, before anything is connected to."""
    monkeypatch.setenv("BANDSHIFT_KAFKA__PARTITIONS", "many")

    result = invoke(name, *(["file.csv"] if name == "import" else []))

    assert result.exit_code == 1
    assert result.stderr.startswith("bandshift: kafka.partitions: ")
    assert len(result.stderr.splitlines()) == 2


def test_a_settings_file_can_be_named(invoke: Invoke, tmp_path: Path) -> None:
    """--config reads that file, and a missing or broken one is named."""
    good, broken = tmp_path / "good.toml", tmp_path / "broken.toml"
    good.write_text('namespace = "NOT GOOD"\n')
    broken.write_text("namespace = \n")

    assert "namespace:" in invoke("digest", "--config", str(good)).stderr
    assert str(broken) in invoke("digest", "--config", str(broken)).stderr
    assert "missing.toml" in invoke("digest", "--config", "missing.toml").stderr


def test_replay_refuses_the_live_namespace(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay into the deployment's own namespace is refused before anything is connected to."""
    monkeypatch.setenv("BANDSHIFT_NAMESPACE", "shop")

    for name in ("shop", ""):
        result = invoke("replay", "file.csv", "--namespace", name)
        assert result.exit_code == 1
        assert "is the live one" in result.stderr


def test_the_version_is_that_of_the_project(invoke: Invoke) -> None:
    """`bandshift --version` prints name and version."""
    assert invoke("--version").output == "bandshift 0.1.0\n"


@pytest.mark.parametrize("customer", ["\udcff", "", " ann", "a\nb", "x" * 257])
def test_an_impossible_customer_is_a_usage_error(invoke: Invoke, customer: str) -> None:
    """An id that no touchpoint could have is refused with what was expected, before anything is asked."""
    result = invoke("score", customer)
    assert result.exit_code == 2
    assert "expected 1 to 256 bytes of UTF-8" in result.output

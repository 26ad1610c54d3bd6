"""Changed outcomes, rules and types take effect at a record of the log, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.partition.outputs import BAND_CHANGES
from tests.engines import MakeSettings
from tests.support.command import Cli
from tests.support.live import space
from tests.support.world import START, touchpoint

OUTCOME = """
[[outcomes]]
name = "purchase"
horizon_days = 7
cuts = {cuts}
"""
MILD = OUTCOME.format(cuts="[0.96, 0.97, 0.98, 0.99]")
STRICT = (
    OUTCOME.format(cuts="[0.001, 0.002, 0.004, 0.008]")
    + """
[[types]]
name = "test_drive"
"""
)


@pytest.mark.timeout(120)
async def test_adopted_settings_decide(live_settings: MakeSettings, tmp_path: Path) -> None:
    """After `bandshift adopt` the new cut points and types decide, also in a worker that was started before."""
    (tmp_path / "mild.toml").write_text(MILD)
    (tmp_path / "strict.toml").write_text(STRICT)
    settings = await live_settings(partitions=2, create=False)
    cli = Cli(settings, tmp_path)
    cli.call("topics", "--create", "--config", "mild.toml")
    async with space(settings) as at:
        with cli.started("worker", "--config", "mild.toml"):
            await at.send("ann", touchpoint(1, "ann", "purchase", START), START)
            await at.send("ann", touchpoint(2, "ann", "test_drive", START), START)
            counts = await at.taken_in(2 + at.partitions)
            assert (counts["scored"], counts["rejected"], counts["control"]) == (
                1,
                1,
                at.partitions,
            )
            assert "decide from here on" in cli.told("adopt", "--config", "strict.toml")
            assert "already" in cli.told("adopt", "--config", "strict.toml")
            await at.send("ann", touchpoint(3, "ann", "test_drive", START), START)
            await at.taken_in(3 + 2 * at.partitions)
        first, second = [
            each for each in await at.bodies(BAND_CHANGES) if each["outcome"] == "purchase"
        ]
        assert (first["to"], second["from"], second["to"]) == ("very low", "very low", "very high")
    refused = cli.refused("adopt")
    assert refused.startswith("outcomes: expected the names and the order of those in force")


@pytest.mark.timeout(120)
async def test_topics_that_others_created_begin_with_the_decisions(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """`bandshift topics --create` writes them once into an empty log; a worker's own settings do not matter."""
    (tmp_path / "mild.toml").write_text(MILD)
    (tmp_path / "strict.toml").write_text(STRICT.partition("[[types]]")[0])
    settings = await live_settings(partitions=2)
    cli = Cli(settings, tmp_path)
    for _ in range(2):
        cli.call("topics", "--create", "--config", "mild.toml")
    async with space(settings) as at:
        await at.send("ann", touchpoint(1, "ann", "purchase", START), START)
        with cli.started("worker", "--config", "strict.toml"):
            counts = await at.taken_in(1 + at.partitions)
            # Of the settings in force, not of those that the command was given.
            (found,) = cli.data("score", "ann", "--config", "strict.toml")["scores"]
            assert found["band_now"] == "very low"
        assert (counts["scored"], counts["control"]) == (1, at.partitions)
        assert _files(tmp_path) == {"mild.toml", "strict.toml"}, (
            "a worker writes nothing where it is started"
        )
        changes = await at.bodies(BAND_CHANGES)
        assert [each["to"] for each in changes if each["outcome"] == "purchase"] == ["very low"]


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}

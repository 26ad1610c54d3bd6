"""Who takes part, and how each is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Final

from benchmarks.peers.common import LEARN_VARIABLE, SPACE_VARIABLE
from stream.broker.topics import Topics


@dataclass(frozen=True)
class Contestant:
    """A program that reads the log and publishes scores and band changes."""

    name: str
    title: str
    module: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    peer: bool = True
    """Writes into a namespace of its own, not into the one that it reads."""

    @property
    def command(self) -> list[str]:
        """What to start."""
        return [sys.executable, "-m", self.module, *self.arguments]

    def space(self, namespace: str) -> Topics:
        """Where it writes what it makes of a namespace's log."""
        return Topics(f"{namespace}-{self.name}" if self.peer else namespace)

    def environment(self, namespace: str) -> dict[str, str]:
        """What it needs to be told besides connections and namespace."""
        return self.variables | {SPACE_VARIABLE: self.space(namespace).namespace}


def _worker(name: str, title: str, *, silence: bool) -> Contestant:
    variables = {"BANDSHIFT_WORKER__SILENCE": str(silence).lower()}
    return Contestant(name, title, "stream.cli", ("worker",), variables, peer=False)


OURS: Final = _worker("bandshift", "bandshift worker", silence=False)
OURS_WITH_SILENCE: Final = _worker(
    "bandshift-silence", "bandshift worker, silence on", silence=True
)
FAUST: Final = Contestant("faust", "Faust, textbook", "benchmarks.peers.faust_app")
FAUST_LEARNING: Final = Contestant(
    "faust-river",
    "Faust, textbook, River learning",
    "benchmarks.peers.faust_app",
    variables={LEARN_VARIABLE: "1"},
)
QUIX: Final = Contestant("quix", "Quix Streams, RocksDB", "benchmarks.peers.quix_app")

ALL: Final = (OURS, FAUST, FAUST_LEARNING, QUIX)
COMPARED: Final = (FAUST, QUIX)
"""Those that must publish the same band changes as ours: they predict with the same weights."""

"""The topics of a namespace, as they must be set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FOREVER: Final = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
_WEEK: Final = {"retention.ms": str(7 * 24 * 3600 * 1000), "cleanup.policy": "delete"}
_LATEST: Final = {
    "cleanup.policy": "compact",
    # Kafka compacts closed segments only, of 1 GB by default; a learner reads all that is left when it starts.
    "segment.bytes": str(64 << 20),
    "segment.ms": str(3600 * 1000),
    "min.cleanable.dirty.ratio": "0.1",
}
LIVE_CLOCK: Final = "LogAppendTime"
HISTORY_CLOCK: Final = "CreateTime"
CLOCK: Final = "message.timestamp.type"
AHEAD: Final = "message.timestamp.after.max.ms"

MOST_RECORD: Final = 256 * 1024
"""Topic limit of `touchpoints`: four times what is taken, so that too large a record can be rejected at all."""
MOST_AHEAD_MS: Final = 3_600_000
"""How far a producer's timestamp may lie ahead of the broker's clock; Kafka 3 takes any by default, and one of
the year 2100 would turn the log's clock there."""


@dataclass(frozen=True)
class Topics:
    """Names and settings of the topics of one namespace (empty: the deployment itself)."""

    namespace: str = ""

    def name(self, kind: str) -> str:
        """The full name of a kind of topic."""
        return f"{self.namespace}.{kind}" if self.namespace else kind

    @property
    def touchpoints(self) -> str:
        """Where touchpoints come in: the only input."""
        return self.name("touchpoints")

    @property
    def dead_letters(self) -> str:
        """Where touchpoints go that cannot be scored."""
        return self.name("touchpoints-dlq")

    @property
    def scores(self) -> str:
        """A record per scored touchpoint, and per band change in silence."""
        return self.name("scores")

    @property
    def band_changes(self) -> str:
        """A record per band change."""
        return self.name("band-changes")

    @property
    def triggers(self) -> str:
        """A record per fired rule."""
        return self.name("triggers")

    @property
    def examples(self) -> str:
        """What learning learns from: labelled examples, and how far each partition has told all of them."""
        return self.name("examples")

    @property
    def model_snapshots(self) -> str:
        """Every version of every outcome's model, as scoring needs it."""
        return self.name("model-snapshots")

    @property
    def model_states(self) -> str:
        """The latest state of every outcome's learner, from which it goes on."""
        return self.name("model-states")

    @property
    def model_events(self) -> str:
        """What happens to models: alarms, promotions, refusals."""
        return self.name("model-events")

    @property
    def group(self) -> str:
        """The workers' consumer group."""
        return f"bandshift-{self.namespace}" if self.namespace else "bandshift"

    def publisher(self, partition: int) -> str:
        """The transactional id of whoever publishes for a partition."""
        return f"{self.group}-{partition}"

    @property
    def learners(self) -> str:
        """The learners' consumer group."""
        return f"{self.group}-learners"

    @property
    def space(self) -> str:
        """What keeps this namespace's keys in the store apart."""
        return self.namespace or "bandshift"

    def declared(self) -> dict[str, dict[str, str]]:
        """Name -> settings. A week's retention (Kafka's default) would make a rebuild impossible."""
        return {
            self.touchpoints: _FOREVER
            | {
                "max.message.bytes": str(MOST_RECORD),
                AHEAD: str(MOST_AHEAD_MS),
                CLOCK: HISTORY_CLOCK,
            },
            self.dead_letters: _FOREVER | {"max.message.bytes": str(1 << 20)},
            self.scores: _WEEK | {"max.message.bytes": str(4 << 20)},
            self.band_changes: _FOREVER | {"max.message.bytes": str(4 << 20)},
            self.triggers: _FOREVER | {"max.message.bytes": str(4 << 20)},
            self.examples: _FOREVER | {"max.message.bytes": str(1 << 20)},
            self.model_snapshots: _FOREVER | {"max.message.bytes": str(4 << 20)},
            self.model_states: _LATEST | {"max.message.bytes": str(16 << 20)},
            self.model_events: _FOREVER | {"max.message.bytes": str(1 << 20)},
        }

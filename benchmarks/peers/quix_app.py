"""The same as a Quix Streams app with its own state: RocksDB on disk, a changelog topic behind it.

Run with: python -m benchmarks.peers.quix_app
"""

from __future__ import annotations

import tempfile
from typing import Any, Final

from quixstreams import Application, State, message_context
from quixstreams.kafka import ConnectionConfig
from quixstreams.models import Topic

from benchmarks.peers.common import Delivered, Scorer, space
from stream.broker.topics import Topics
from stream.settings import KafkaSettings, load

_STATE: Final = "state"
_COMMIT_SECONDS: Final = 1.0
"""As often as bandshift's worker, so that a crash costs both as much work again."""


_State = State[str, bytes]


class _Change(bytes):
    """The body of a band change, to be told from that of a score."""


def _connection(kafka: KafkaSettings) -> ConnectionConfig:
    found: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap}
    if kafka.username is not None:
        found |= {
            "security_protocol": kafka.security,
            "sasl_mechanism": kafka.mechanism,
            "sasl_username": kafka.username,
            "sasl_password": kafka.password,
        }
    return ConnectionConfig(**found)


def main() -> None:
    """Run the app until it is told to stop."""
    settings, own = load(), space()
    scorer = Scorer(settings)
    app = Application(
        _connection(settings.kafka),
        consumer_group=own.namespace,
        auto_offset_reset="earliest",
        commit_interval=_COMMIT_SECONDS,
        state_dir=tempfile.mkdtemp(prefix="benchmark-quix-"),
        loglevel="WARNING",
    )

    def topic(name: str) -> Topic:
        return app.topic(
            name,
            key_deserializer="bytes",
            value_deserializer="bytes",
            key_serializer="bytes",
            value_serializer="bytes",
        )

    source = topic(Topics(settings.namespace).touchpoints)
    scores, changes = topic(own.scores), topic(own.band_changes)

    def score(
        value: bytes | None, key: bytes, timestamp: int, _headers: Any, state: _State
    ) -> list[bytes]:
        if value is None:
            return []
        context = message_context()
        record = Delivered(context.offset, timestamp, key, value)
        event = scorer.read(record, context.partition)
        if event is None:
            return []
        scored = scorer.take(state.get_bytes(_STATE), event, record, context.partition)
        state.set_bytes(_STATE, scored.state)
        return [scored.score, *map(_Change, scored.changes)]

    def target(value: bytes, _key: Any, _timestamp: int, _headers: Any) -> Topic:
        return changes if isinstance(value, _Change) else scores

    scored = app.dataframe(source).apply(score, stateful=True, metadata=True, expand=True)
    scored.to_topic(target)
    app.run()


if __name__ == "__main__":
    main()

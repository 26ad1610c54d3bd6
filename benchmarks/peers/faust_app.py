"""The textbook Faust app: an agent that iterates over a topic, and for every event reads and writes Redis.

    python -m benchmarks.peers.faust_app worker

With BENCHMARK_LEARN=1 River predicts, and learns from every event.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import faust
from redis.asyncio import Redis

from benchmarks.peers.common import LEARN_VARIABLE, Delivered, Scorer, space
from benchmarks.peers.learning import LearningScorer
from stream.broker.topics import Topics
from stream.settings import KafkaSettings, load


def _credentials(kafka: KafkaSettings) -> faust.SASLCredentials | None:
    if kafka.username is None or kafka.password is None:
        return None
    return faust.SASLCredentials(
        username=kafka.username, password=kafka.password.get_secret_value(), mechanism="PLAIN"
    )


def make() -> faust.App:
    """The app: its topics, its agent."""
    settings, own = load(), space()
    scorer = LearningScorer(settings) if os.environ.get(LEARN_VARIABLE) else Scorer(settings)
    redis: Any = Redis.from_url(settings.redis.url.get_secret_value())
    app = faust.App(
        own.namespace,
        broker=f"kafka://{settings.kafka.bootstrap}",
        broker_credentials=_credentials(settings.kafka),
        datadir=tempfile.mkdtemp(prefix="benchmark-faust-"),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
    )
    source, scores, changes = (
        app.topic(name, key_type=bytes, value_type=bytes)
        for name in (Topics(settings.namespace).touchpoints, own.scores, own.band_changes)
    )

    @app.agent(source)
    async def score(stream: Any) -> None:
        async for found in stream.events():
            message = found.message
            record = Delivered(
                message.offset, round(message.timestamp * 1000), message.key, message.value
            )
            if record.value is None:
                continue
            event = scorer.read(record, message.partition)
            if event is None:
                continue
            name = f"{own.namespace}:{event.customer_id}"
            kept: bytes | None = await redis.get(name)
            scored = scorer.take(kept, event, record, message.partition)
            await redis.set(name, scored.state)
            await scores.send(key=record.key, value=scored.score)
            for change in scored.changes:
                await changes.send(key=record.key, value=change)

    return app


if __name__ == "__main__":
    sys.argv[1:] = sys.argv[1:] or ["worker", "--loglevel", "warn"]
    make().main()

"""What the log's side of Kafka makes of a broker that takes nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    TopicAuthorizationFailedError,
)

from stream.broker.log import KafkaLog
from stream.broker.topics import Topics
from stream.errors import BrokerError, ProducerSpentError
from stream.partition.control import Kind, Signer


class Batch:
    """Takes everything."""

    def append(self, **_: Any) -> bool:
        return True

    def close(self) -> None:
        pass


class Refusing:
    """A producer whose broker answers with an error."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, *_: Any, **__: Any) -> Any:
        return self._refused()

    async def _refused(self) -> None:
        raise self._error


async def refused(error: KafkaError) -> BrokerError:
    """What is raised where the broker answers so."""
    signer = Signer(b"key", "touchpoints")
    log = KafkaLog(cast("Any", None), cast("Any", Refusing(error)), Topics(), signer)
    with pytest.raises(BrokerError) as told:
        await log.append(3, Kind.TICK)
    return told.value


@pytest.mark.parametrize(
    "error",
    [
        MessageSizeTooLargeError(),
        TopicAuthorizationFailedError("touchpoints"),
        OutOfOrderSequenceNumber(),
        ProducerFenced(),
        KafkaError("Unexpected error during batch delivery"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_refused_for_good_ends_the_producer(error: KafkaError) -> None:
    """An error that no later try mends names topic, partition and kind, and says to start the worker again."""
    told = await refused(error)
    assert isinstance(told, ProducerSpentError)
    assert str(told).startswith("Kafka: touchpoints, partition 3: ")
    assert str(told).endswith(type(error).__name__)
    assert "start the worker again" in (told.hint or "")


@pytest.mark.parametrize(
    "error",
    [KafkaTimeoutError(), NotLeaderForPartitionError(), ProducerClosed()],
    ids=lambda error: type(error).__name__,
)
async def test_what_may_be_tried_again_does_not(error: KafkaError) -> None:
    """A broker that is slow or away, or a producer that was closed at the end, is no reason to start again."""
    assert type(await refused(error)) is BrokerError

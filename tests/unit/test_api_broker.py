"""The way of touchpoints from the API to Kafka, where Kafka does not take them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from stream.api import broker
from stream.api.broker import KafkaSender
from stream.api.intake import Sent
from stream.broker.topics import Topics
from stream.errors import BrokerError

RECORD = Sent(0, b"anna", b"{}", (), None)


class Producer:
    """Stands in for aiokafka's: each record's fate is what the test says, in order."""

    def __init__(self, *fates: KafkaError | str) -> None:
        self.fates = list(fates)
        self.waiting: list[asyncio.Future[None]] = []

    async def send(self, *_: Any) -> asyncio.Future[None]:
        """As aiokafka's: returns once the record is in a batch, the future is done with the batch."""
        fate = self.fates.pop(0)
        if fate == "full":
            await asyncio.Event().wait()
        found: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(found)
        if isinstance(fate, KafkaError):
            found.set_exception(fate)
        elif fate == "taken":
            found.set_result(None)
        return found


def sender(producer: Producer) -> KafkaSender:
    """Over that producer."""
    return KafkaSender(cast("AIOKafkaProducer", producer), Topics("t"))


@pytest.mark.parametrize("fate", ["silence", "full"])
async def test_silence_ends_in_an_error(monkeypatch: pytest.MonkeyPatch, fate: str) -> None:
    """Where Kafka does not answer, or no batch has room, the request is told so and waits for nothing more."""
    monkeypatch.setattr(broker, "_SEND_SECONDS", 0.05)
    producer = Producer("taken", "silence", fate)
    with pytest.raises(BrokerError, match="got TimeoutError"):
        await asyncio.wait_for(sender(producer).send([RECORD] * 3), 10)
    assert all(each.done() for each in producer.waiting)


async def test_a_refused_batch_is_an_error_of_that_request_alone() -> None:
    """What the broker refuses fails its request; the next one is sent as ever."""
    to = sender(Producer(MessageSizeTooLargeError(), "taken"))
    with pytest.raises(BrokerError, match="got MessageSizeTooLargeError"):
        await to.send([RECORD])
    await to.send([RECORD])


async def test_a_request_given_up_leaves_no_error_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a request is given up while it sends, nobody is told later of the records before."""
    monkeypatch.setattr(broker, "_SEND_SECONDS", 0.05)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    producer = Producer(MessageSizeTooLargeError(), "full")
    with pytest.raises(BrokerError, match="got TimeoutError"):
        await asyncio.wait_for(sender(producer).send([RECORD] * 2), 10)
    producer.waiting.clear()
    gc.collect()
    assert told == []

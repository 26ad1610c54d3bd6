"""Producers of every kind, on a real topic: nothing they send stops the stream or is lost, and counts reconcile."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from time import time
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder

from schemas.home import home
from schemas.intake import MOST_BYTES
from stream import app
from stream.broker import client, deadletters
from stream.broker.deadletters import Kept
from stream.broker.log import KafkaLog
from stream.broker.topics import AHEAD, Topics
from stream.errors import ProducerSpentError
from stream.partition.control import Headers
from stream.partition.outputs import SCORES, Output
from stream.settings import Settings
from tests.engines import MakeSettings
from tests.support.command import Cli
from tests.support.live import Space, space
from tests.support.poison import HIDDEN, POISON
from tests.support.world import START, touchpoint

PARTITIONS = 4
REPEATS = 20


class _NotUtf8(str):
    """A header's name that encodes to bytes which are no UTF-8, as producers in other languages can send."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\xfe"


def reconciles(counts: dict[str, int]) -> bool:
    """Every record was counted once."""
    parts = ("scored", "duplicates", "rejected", "forwarded", "control")
    return counts["in"] == sum(counts.get(part, 0) for part in parts)


@pytest.mark.timeout(150)
async def test_poison_of_every_kind_stops_nothing(live_settings: MakeSettings) -> None:
    """Each kind of bad record, many times over, among good, misrouted and repeated ones: all are accounted for."""
    settings = await live_settings(partitions=PARTITIONS)
    async with space(settings) as at:
        sent = 0
        async with _producing(settings) as producer:
            for number in range(REPEATS):
                customer = f"c{number}"
                good = touchpoint(number, customer, "purchase", START, value=5)
                right = home(customer, PARTITIONS)
                for where in (right, right, (right + 1) % PARTITIONS):
                    await _send(producer, at, where, customer.encode(), good, [])
                for _, value, headers, _, _ in POISON:
                    await _send(
                        producer, at, home("a", PARTITIONS), b"some key", value, list(headers)
                    )
                sent += 3 + len(POISON)
        async with at.worker():
            # the misrouted ones come in a second time, at home
            counts = await at.taken_in(sent + REPEATS)
        assert reconciles(counts)
        assert counts["scored"] == REPEATS
        assert counts["duplicates"] == 2 * REPEATS
        assert counts["forwarded"] == REPEATS
        assert counts["rejected"] == REPEATS * len(POISON)
        letters = [
            deadletters.read(each.key, each.value, each.headers)
            for each in await at.read("touchpoints-dlq")
        ]
        assert len(letters) == counts["rejected"]
        found = sorted((each.reason, each.value or b"") for each in letters if each)
        assert found == sorted(
            (reason, value or b"") for _, value, _, reason, _ in POISON * REPEATS
        )


def _producing(settings: Settings, codec: str | None = None) -> AIOKafkaProducer:
    """A producer that sends what it is told to, in batches that Kafka takes."""
    return AIOKafkaProducer(
        **client.options(settings.kafka),
        compression_type=codec,
        max_request_size=32 << 20,
    )


async def _send(
    producer: AIOKafkaProducer,
    at: Space,
    where: int,
    key: bytes | None,
    value: bytes | None,
    headers: list[Any],
) -> None:
    await producer.send(
        at.topics.touchpoints,
        value,
        key,
        partition=where,
        headers=headers,
        timestamp_ms=START * 1000,
    )


@pytest.mark.timeout(100)
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(live_settings: MakeSettings, codec: str) -> None:
    """Producers may compress as they like."""
    settings = await live_settings(partitions=1)
    async with space(settings) as at:
        async with _producing(settings, codec) as producer:
            for number in range(50):
                value = touchpoint(number, "ann", "sms", START)
                await _send(producer, at, 0, b"ann", value, [])
        async with at.worker():
            assert (await at.taken_in(50))["scored"] == 50


@pytest.mark.timeout(100)
async def test_a_header_name_that_is_no_text_stops_nothing(live_settings: MakeSettings) -> None:
    """A record whose header has a name that is not UTF-8 is scored like any other, as is what follows it.

    In a dead letter, the name is kept byte for byte.
    """
    settings = await live_settings(partitions=1)
    async with space(settings) as at:
        async with _producing(settings) as producer:
            batch = producer.create_batch()
            batch._builder = cast("Any", Builder)(2, 0, 0, -1, -1, -1, 100_000)
            for number in range(4):
                headers = [(_NotUtf8("name"), None)] if number in {1, 2} else []
                value = b"hello" if number == 2 else touchpoint(number, "ann", "sms", START)
                batch.append(key=b"ann", value=value, timestamp=START * 1000, headers=headers)
            await (await producer.send_batch(batch, at.topics.touchpoints, partition=0))
            await _send(producer, at, 0, b"ann", touchpoint(4, "ann", "sms", START), [])
        async with at.worker():
            counts = await at.taken_in(5)
        assert (counts["scored"], counts["rejected"]) == (4, 1)
        assert len(await at.read(SCORES)) == 4
        (letter,) = await _letters(at)
        (header,) = letter.headers
        assert header == (b"\xff\xfe".decode("utf-8", "surrogateescape"), None)


@pytest.mark.timeout(150)
async def test_what_compression_hides_stops_nothing(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """Records far larger than the topic's limit, compressed, are buried whole or in part, and go back if they can."""
    settings = await live_settings(partitions=2)
    cli = Cli(settings, tmp_path)
    async with space(settings) as at:
        wrong = 1 - home("a", 2)  # what is good is misrouted, too
        async with _producing(settings, "gzip") as producer:
            for number, (_, (key, value, headers), _) in enumerate(HIDDEN):
                await _settled(producer, at, wrong, key, value, headers)
                for customer in ("ann", "bob"):
                    good = touchpoint(number, customer, "sms", START)
                    await _settled(producer, at, home(customer, 2), customer.encode(), good)
        async with at.worker():
            counts = await at.taken_in(3 * len(HIDDEN))
            assert reconciles(counts)
            assert counts["scored"] == 2 * len(HIDDEN)
            assert counts["rejected_too_large"] == len(HIDDEN)
            letters = await _letters(at)
            assert [each.original for each in letters if each.whole is None] == [
                each.sent for each in HIDDEN if each.whole
            ]
            (cut,) = (each for each in letters if each.whole is not None)
            assert cut.whole == HIDDEN[-1].sent.size

            # Everything that was kept whole comes in again as it was, and is a dead letter again.
            whole = sum(each.whole for each in HIDDEN)
            done = cli.call("dlq", "redrive", "--json")
            assert json.loads(done.stdout)["redriven"] == whole
            assert f"{cut.whole} bytes, of which only the beginning was kept" in done.stderr
            counts = await at.taken_in(3 * len(HIDDEN) + whole)
            assert reconciles(counts)
            assert counts["rejected_too_large"] == len(HIDDEN) + whole
        again = [each.original.size for each in await _letters(at) if each.whole is None]
        assert sorted(again) == sorted(2 * [each.sent.size for each in HIDDEN if each.whole])
        shown = cli.data("dlq", "list")
        assert (shown["outstanding"], shown["redriven"]) == (len(HIDDEN), whole)


async def _letters(at: Space) -> list[Kept]:
    found = (
        deadletters.read(each.key, each.value, each.headers)
        for each in await at.read("touchpoints-dlq")
    )
    return [each for each in found if each]


async def _settled(
    producer: AIOKafkaProducer,
    at: Space,
    where: int,
    key: bytes | None,
    value: bytes | None,
    headers: Headers = (),
) -> None:
    """Send a record in a batch of its own."""
    await _send(producer, at, where, key, value, list(headers))
    await producer.flush()


@pytest.mark.timeout(100)
async def test_large_headers_do_not_stop_a_forward(live_settings: MakeSettings) -> None:
    """Misrouted touchpoints as large as may be, most of it headers, all come to their home and are scored there."""
    settings = await live_settings(partitions=2)
    async with space(settings) as at:
        wrong = 1 - home("ann", 2)
        async with _producing(settings) as producer:
            for number in range(40):
                value = touchpoint(number, "ann", "sms", START)
                trace = b"y" * (MOST_BYTES - len(value) - len(b"anntrace") - 2)
                await _send(producer, at, wrong, b"ann", value, [("trace", trace)])
        async with at.worker():
            counts = await at.taken_in(80)
        assert (counts["forwarded"], counts["scored"]) == (40, 40)


@pytest.mark.timeout(100)
async def test_a_refused_batch_is_not_tried_for_ever(live_settings: MakeSettings) -> None:
    """Where the broker refuses what a worker sends, the error says what, and that the worker must be started again."""
    settings = await live_settings(partitions=1)
    topics = Topics(settings.namespace)
    async with client.producer(settings.kafka, batch=client.OUTPUTS_BATCH) as producer:
        log = KafkaLog(cast("Any", None), producer, topics, app.signer(settings, topics))
        small, large = (Output(SCORES, 0, b"k", b"x" * size, (), None) for size in (1, 5 << 20))
        await log.publish([small])
        for output, named in ((large, "MessageSizeTooLarge"), (small, "OutOfOrderSequence")):
            with pytest.raises(ProducerSpentError, match=f"{topics.scores}, .*{named}") as told:
                await log.publish([output])
            assert "start the worker again" in (told.value.hint or "")


async def test_a_time_far_ahead_is_refused_at_the_door(live_settings: MakeSettings) -> None:
    """No producer's clock can put the log's clock more than an hour ahead of the broker's, in history neither."""
    settings = await live_settings(partitions=1)
    async with space(settings) as at, _producing(settings) as producer:
        for late, taken in ((50 * 60, True), (70 * 60, False)):
            sent = await producer.send(
                at.topics.touchpoints, b"x", timestamp_ms=int((time() + late) * 1000)
            )
            with nullcontext() if taken else pytest.raises(InvalidTimestampError):
                await sent
    assert at.topics.declared()[at.topics.touchpoints][AHEAD] == "3600000"


@pytest.mark.timeout(100)
async def test_what_a_transaction_took_back_is_never_scored(live_settings: MakeSettings) -> None:
    """Of a producer's transactions only those that were committed count, also where both lie in one partition."""
    settings = await live_settings(partitions=1)
    async with space(settings) as at:
        made = AIOKafkaProducer(
            **client.options(settings.kafka), transactional_id=settings.namespace
        )
        async with client.started(settings.kafka, made, made.stop) as producer:
            for number, customer in enumerate(("ann", "bob", "cyd")):
                await producer.begin_transaction()
                value = touchpoint(number, customer, "purchase", START)
                await producer.send_and_wait(
                    Topics(settings.namespace).touchpoints,
                    value,
                    customer.encode(),
                    timestamp_ms=START * 1000,
                )
                await (
                    producer.abort_transaction if customer == "bob" else producer.commit_transaction
                )()
        async with at.worker():
            assert (await at.taken_in(2))["scored"] == 2
        assert {each["customer_id"] for each in await at.bodies(SCORES)} == {"ann", "cyd"}

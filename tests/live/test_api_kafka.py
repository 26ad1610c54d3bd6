"""The API's intake where Kafka is away, or refuses what it is sent."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx2
import pytest

from stream.api import broker
from stream.api.assemble import intake_producer
from stream.api.broker import KafkaSender
from stream.api.intake import Sent
from stream.broker.topics import Topics
from stream.embedded.kafka import EmbeddedKafka
from stream.errors import BrokerError
from tests.engines import MakeSettings
from tests.support.live import space
from tests.support.serving import ready, serving, until
from tests.support.world import touchpoint

pytestmark = pytest.mark.timeout(180)


async def _post(http: httpx2.AsyncClient, number: int) -> int:
    """Send a touchpoint; the status."""
    body = [json.loads(touchpoint(number, "anna", "purchase", time.time()))]
    return (await http.post("/v1/touchpoints", json=body, timeout=30)).status_code


async def test_without_kafka_senders_are_told_and_its_return_mends_it(
    live_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Kafka is away each request ends in status 503 and the rest answers; then touchpoints are taken again."""
    monkeypatch.setattr(broker, "_SEND_SECONDS", 1)
    with EmbeddedKafka(tmp_path / "kafka") as own:
        kafka = {
            "bootstrap": own.bootstrap,
            "security": "SASL_PLAINTEXT",
            "username": own.username,
            "password": own.password,
            "timeout_seconds": 5,
        }
        settings = await live_settings(partitions=1, kafka=kafka)
        async with serving(settings) as address, httpx2.AsyncClient(base_url=address) as http:
            await ready(http)
            assert await _post(http, 1) == 202
            await asyncio.to_thread(own.kill)
            assert await asyncio.gather(*(_post(http, number) for number in range(2, 22))) == (
                [503] * 20
            )
            assert (await http.get("/livez")).status_code == 200
            await asyncio.to_thread(own.start)

            async def taken() -> bool:
                return await _post(http, 22) == 202

            await until(taken)


async def test_a_refused_record_spoils_no_later_one(live_settings: MakeSettings) -> None:
    """A record that the topic is too small for fails alone: its partition takes what comes next."""
    settings = await live_settings(partitions=1)
    large = Sent(0, b"anna", b"x" * 300_000, (), None)
    small = Sent(0, b"anna", b"{}", (), None)
    async with space(settings) as at, intake_producer(settings.kafka) as producer:
        to = KafkaSender(producer, Topics(settings.namespace))
        for _ in range(2):
            with pytest.raises(BrokerError, match="MessageSizeTooLarge"):
                await to.send([large])
            await to.send([small])
        assert [each.value for each in await at.read("touchpoints")] == [b"{}", b"{}"]

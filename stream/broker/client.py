"""How every Kafka client of bandshift connects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.broker import tolerant
from stream.errors import BrokerError
from stream.settings import KafkaSettings

tolerant.install()

TOUCHPOINTS_BATCH = 200_000
"""Bytes of one produced batch: a batch counts as one record against the topic's 256 KiB."""
OUTPUTS_BATCH = 900_000
"""Of outputs and dead letters, whose topics take 1 MiB and more."""

MOST_REQUEST = 17 << 20
"""Bytes of one record before it is compressed: a dead letter of 16 MiB goes back as it came."""


def options(kafka: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments that all aiokafka clients take."""
    found: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap,
        "security_protocol": kafka.security,
        "request_timeout_ms": int(kafka.timeout_seconds * 1000),
    }
    if kafka.security in {"SSL", "SASL_SSL"}:
        found["ssl_context"] = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.security.startswith("SASL"):
        password = kafka.password.get_secret_value() if kafka.password else None
        found |= {
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": password,
        }
    return found


def unreachable(kafka: KafkaSettings, error: Exception) -> BrokerError:
    """What to say when a client could not connect."""
    return BrokerError(
        f"Kafka at {kafka.bootstrap}: expected an answer, got {type(error).__name__}",
        "start Kafka, or set BANDSHIFT_KAFKA__BOOTSTRAP (and __SECURITY, __USERNAME, __PASSWORD)",
    )


@contextmanager
def answering() -> Iterator[None]:
    """Turn the errors of Kafka's client into ours."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise _unanswered(error) from error


def _unanswered(error: Exception) -> BrokerError:
    return BrokerError(
        f"Kafka: expected an answer, got {type(error).__name__}", "run: bandshift doctor"
    )


@asynccontextmanager
async def started(
    kafka: KafkaSettings,
    made: Any,
    stop: Callable[[], Awaitable[None]],
    patience: float | None = None,
) -> AsyncIterator[Any]:
    """A client while it is connected; let go of whatever happens, a Ctrl-C while it connects included.

    `patience`: seconds within which it must have said goodbye; None: as long as it takes.
    """
    try:
        try:
            await _unhurried(made.start())
        except (KafkaError, OSError) as error:
            raise unreachable(kafka, error) from error
        yield made
    except KafkaError as error:
        raise _unanswered(error) from error
    finally:
        await _goodbye(stop, patience)


async def _goodbye(stop: Callable[[], Awaitable[None]], patience: float | None) -> None:
    """Let a client stop. One that leaves a group amid a rebalance would wait for all other members first."""
    if patience is None:
        await stop()
        return
    stopping = asyncio.ensure_future(stop())
    await asyncio.wait({stopping}, timeout=patience)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait({stopping}, timeout=0.2)


async def _unhurried(start: Coroutine[Any, Any, None]) -> None:
    """Await a client's start; cancelled, give it a second: cut off, it would leave a connection open."""
    starting = asyncio.create_task(start)
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting}, timeout=1)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        raise


@asynccontextmanager
async def producer(
    kafka: KafkaSettings,
    *,
    batch: int = TOUCHPOINTS_BATCH,
    linger_ms: int = 0,
    compression: str | None = None,
    idempotent: bool = True,
    patience: float | None = None,
) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer that waits for all replicas.

    Idempotent, it never gives a batch up, and a refused batch leaves a gap in the numbers of its partition
    that the broker takes nothing behind. Else a batch is given up after the settings' timeout, and one whose
    answer was lost may be in the log twice; either way a partition has one batch under way, so order holds.
    """
    made = AIOKafkaProducer(
        **_producing(kafka, batch),
        enable_idempotence=idempotent,
        linger_ms=linger_ms,
        compression_type=compression,
    )
    async with started(kafka, made, made.stop, patience):
        yield made


def transactional(kafka: KafkaSettings, name: str, timeout: float) -> AIOKafkaProducer:
    """A producer of outputs that sends in transactions; starting it ends what another of its name left open.

    A transaction that is open for longer than `timeout` seconds is taken back by the broker.
    """
    return AIOKafkaProducer(
        **_producing(kafka, OUTPUTS_BATCH),
        transactional_id=name,
        transaction_timeout_ms=int(timeout * 1000),
    )


def _producing(kafka: KafkaSettings, batch: int) -> dict[str, Any]:
    more = {"acks": "all", "max_batch_size": batch, "max_request_size": MOST_REQUEST}
    return options(kafka) | more


@asynccontextmanager
async def admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client."""
    made = AIOKafkaAdminClient(**options(kafka))
    async with started(kafka, made, made.close):
        yield made


@asynccontextmanager
async def reader(kafka: KafkaSettings, *, wait_ms: int = 500) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer of no group: it reads what it is told to, and leaves no trace.

    `wait_ms`: for how long the broker may hold a request to which it has no answer yet. What arrives
    meanwhile in a partition that the open request does not ask for waits until it returns.
    """
    made = AIOKafkaConsumer(
        **options(kafka),
        isolation_level="read_committed",  # what a transaction took back never happened
        max_partition_fetch_bytes=4 << 20,
        fetch_max_wait_ms=wait_ms,
    )
    async with started(kafka, made, made.stop):
        yield made

"""The embedded Kafka and Redis are real, keep their data, keep to themselves and leave nothing."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.ports import free_port
from stream.embedded.probe import kafka_answers
from stream.embedded.redis import EmbeddedRedis
from stream.embedded.server import EmbeddedServer
from stream.errors import EmbeddedError

# The first start on a machine downloads Kafka and prepares quick starts.
pytestmark = pytest.mark.timeout(300)
LONG_AGO = 852_076_800_000  # the first day of 1997, in milliseconds


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One Kafka for the tests that only look at it."""
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def login(server: EmbeddedKafka) -> dict[str, Any]:
    """What an aiokafka client has to know."""
    return {
        "bootstrap_servers": server.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": server.username,
        "sasl_plain_password": server.password,
    }


@asynccontextmanager
async def admin_of(server: EmbeddedKafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that may create and describe topics."""
    admin = AIOKafkaAdminClient(**login(server))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def settings_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """The settings in force for a topic, the broker's defaults included."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    (answer,) = await admin.describe_configs([resource])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def read(server: EmbeddedKafka, topic: str, count: int) -> list[tuple[int, bytes | None]]:
    """The first `count` records of the topic's only partition: timestamp and value."""
    consumer = AIOKafkaConsumer(**login(server))
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        records = [await consumer.getone() for _ in range(count)]
        return [(record.timestamp, record.value) for record in records]
    finally:
        await consumer.stop()


def is_running(pid: int) -> bool:
    """Whether a process runs; one that only waits for its exit status to be read does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what must come about; the test's own time-out ends a wait in vain."""
    while not holds():
        time.sleep(0.05)


def pid_of(server: EmbeddedServer) -> int:
    """The process id of a server that runs."""
    assert server.pid is not None
    return server.pid


def client(server: EmbeddedRedis) -> redis.Redis:
    """A client that is logged in."""
    return redis.Redis.from_url(server.url, decode_responses=True)


async def test_records_with_old_timestamps_outlive_a_kill(tmp_path: Path) -> None:
    """Kafka keeps records from 1997, and has them again under the same address after a SIGKILL."""
    with EmbeddedKafka(tmp_path) as kafka:
        address, password = kafka.bootstrap, kafka.password
        async with admin_of(kafka) as admin:
            await admin.create_topics([NewTopic("old", 1, 1)])
            settings = await settings_of(admin, "old")
        # Waiting for the deletion of old records would take minutes.
        assert settings["retention.ms"] == settings["retention.bytes"] == "-1"
        producer = AIOKafkaProducer(**login(kafka), acks="all")
        await producer.start()
        for number in range(3):
            await producer.send("old", b"%d" % number, timestamp_ms=LONG_AGO + number)
        await producer.stop()
        written = [(LONG_AGO + number, b"%d" % number) for number in range(3)]
        assert await read(kafka, "old", 3) == written

        pid = pid_of(kafka)
        kafka.kill()
        assert not is_running(pid)
        assert kafka.pid is None

        kafka.start()
        assert (kafka.bootstrap, kafka.password) == (address, password)
        assert await read(kafka, "old", 3) == written


async def test_a_topic_must_be_created_first(kafka: EmbeddedKafka) -> None:
    """Asking for an unknown topic is an error and does not create it."""
    consumer = AIOKafkaConsumer("misspelt", **login(kafka), request_timeout_ms=2_000)
    try:
        with pytest.raises(UnknownTopicOrPartitionError):
            await consumer.start()
    finally:
        await consumer.stop()
    async with admin_of(kafka) as admin:
        assert "misspelt" not in await admin.list_topics()


def test_two_kafkas_side_by_side(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A second Kafka runs beside the first on ports and with a password of its own."""
    with EmbeddedKafka(tmp_path) as second:
        assert second.bootstrap != kafka.bootstrap
        assert kafka_answers(second._known(), 5)
        assert kafka_answers(kafka._known(), 5)
        assert not kafka_answers(replace(second._known(), password=kafka.password), 5)


def test_every_port_of_kafka_wants_a_password(kafka: EmbeddedKafka) -> None:
    """Kafka listens on two loopback ports; both ask for a login and hang up on who skips it."""
    listening = {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for connection in psutil.Process(pid_of(kafka)).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", port) for port in kafka._known().ports}
    # Requests of the Kafka protocol: list all topics; which mechanisms for a login.
    list_topics = bytes.fromhex("00000013 0003 0001 00000007 0005 736e656166 ffffffff")
    handshake = bytes.fromhex("00000016 0011 0001 00000007 0005 736e656166 0005 504c41494e")
    no_error_and_only_plain = bytes.fromhex("00000007 0000 00000001 0005 504c41494e")
    for address in listening:
        assert answer_to(list_topics, address) == b""
        assert answer_to(handshake, address) == no_error_and_only_plain


def answer_to(request: bytes, address: tuple[str, int]) -> bytes:
    """The reply without its length; nothing if the server hangs up."""
    with socket.create_connection(address, timeout=10) as sock, sock.makefile("rb") as reader:
        sock.sendall(request)
        try:
            return reader.read(int.from_bytes(reader.read(4)))
        except ConnectionResetError:
            return b""


def test_secrets_stay_in_private_files(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Passwords are in no command line, environment or log, and in files of the owner only."""
    with EmbeddedRedis(tmp_path) as server:
        for running in (kafka, server):
            process = psutil.Process(pid_of(running))
            assert running.password not in " ".join(process.cmdline())
            # Options meant for another Java, and the caller's own secrets, stay out as well.
            assert set(process.environ()) <= {"PATH", "LANG", "TZ"}
            assert stat.S_IMODE(running.directory.stat().st_mode) == 0o700
            holders = [
                path
                for path in running.directory.rglob("*")
                if path.is_file() and running.password.encode() in path.read_bytes()
            ]
            assert holders
            assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}
            assert running.log not in holders
            assert running.password not in repr(running)


PARENT = """
import sys, time
from pathlib import Path
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
directory = Path(sys.argv[1])
kafka, redis = EmbeddedKafka(directory / "kafka"), EmbeddedRedis(directory / "redis")
kafka.start()
redis.start()
print(kafka.pid, redis.pid, flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def parent_of_both(
    directory: Path, seconds: float
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A program that starts both servers, lives on for `seconds`, and forgets to stop them."""
    command = [sys.executable, "-c", PARENT, str(directory), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            pids = [int(word) for word in parent.stdout.readline().split()]
            assert len(pids) == 2, "it did not start them"
            yield parent, pids
        finally:
            parent.kill()


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    """Kafka and Redis are gone soon after their parent was killed by SIGKILL."""
    with parent_of_both(tmp_path, 1_000) as (parent, pids):
        assert all(map(is_running, pids))
        parent.kill()
        parent.wait()
        wait_until(lambda: not any(map(is_running, pids)))


def test_children_end_with_a_parent_that_forgot_them(tmp_path: Path) -> None:
    """A program that ends without stopping its servers takes them along."""
    with parent_of_both(tmp_path, 0) as (parent, pids):
        assert parent.wait() == 0
        assert not any(map(is_running, pids))
    assert "ready to exit" in (tmp_path / "redis" / "redis.log").read_text(encoding="utf-8")


def test_an_interrupt_at_the_terminal_reaches_the_parent_only(tmp_path: Path) -> None:
    """Servers are in process groups of their own, so Ctrl-C leaves their end to the parent."""
    with EmbeddedRedis(tmp_path) as server:
        group = os.getpgid(pid_of(server))
        assert group == server.pid
        assert group != os.getpgrp()


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """A server started from a thread goes on after that thread has ended."""
    server = EmbeddedRedis(tmp_path)
    thread = Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        with client(server) as connection:
            connection.set("a", "1")
            assert connection.get("a") == "1"
        assert is_running(pid_of(server))
    finally:
        server.stop()


def test_redis_is_set_up_as_asked(tmp_path: Path) -> None:
    """Eviction policy, memory limit and append-only file are those asked for, and the defaults safe."""
    wanted = {"appendonly": "no", "maxmemory-policy": "allkeys-lru", "maxmemory": str(50 << 20)}
    with (
        EmbeddedRedis(
            tmp_path / "asked", policy="allkeys-lru", appendonly=False, maxmemory="50mb"
        ) as server,
        client(server) as connection,
    ):
        assert {name: connection.config_get(name)[name] for name in wanted} == wanted
        assert connection.info("server")["redis_version"] == server.version
    with EmbeddedRedis(tmp_path / "plain") as server, client(server) as connection:
        safe = {"appendonly": "yes", "maxmemory-policy": "noeviction", "bind": "127.0.0.1"}
        assert {name: connection.config_get(name)[name] for name in safe} == safe
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)).ping()


def test_redis_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """What Redis acknowledged is there again after a SIGKILL, unless it was told to keep nothing."""
    for keeps in (True, False):
        server = EmbeddedRedis(tmp_path / str(keeps), appendonly=keeps)
        with server:
            url = server.url
            with client(server) as connection:
                connection.set("a", "1")
            server.kill()
            server.start()
            assert server.url == url
            with client(server) as connection:
                assert connection.get("a") == ("1" if keeps else None)


def test_a_new_program_goes_on_with_a_directory(tmp_path: Path) -> None:
    """Whoever starts on a directory again has its data under the same address and password."""
    with EmbeddedRedis(tmp_path) as server, client(server) as connection:
        connection.set("a", "1")
        url = server.url
    with EmbeddedRedis(tmp_path) as server, client(server) as connection:
        assert server.url == url
        assert connection.get("a") == "1"


def test_a_server_that_died_by_itself_is_started_again(tmp_path: Path) -> None:
    """After a crash the process id is gone, and start brings the server back."""
    with EmbeddedRedis(tmp_path) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        wait_until(lambda: server.pid is None)
        server.start()
        with client(server) as connection:
            assert connection.ping()
        first = server.pid
        server.start()
        assert server.pid == first
    server.stop()
    assert server.pid is None


def test_one_directory_serves_one_server_at_a_time(tmp_path: Path) -> None:
    """A second server on the same directory is refused, and the first goes on."""
    with EmbeddedRedis(tmp_path) as first:
        with pytest.raises(EmbeddedError, match="Another Redis is running in"):
            EmbeddedRedis(tmp_path).start()
        with client(first) as connection:
            assert connection.ping()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that was asked for and is taken is an error that names it; kept ones move away."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"Port {port} .* is taken"):
            EmbeddedRedis(tmp_path, port=port).start()
    with EmbeddedRedis(tmp_path / "asked", port=(asked := free_port())) as server:
        assert server.port == asked
    server = EmbeddedRedis(tmp_path)
    with server:
        port = server.port
    with socket.create_server(("127.0.0.1", port)):
        # Somebody may know this object's address, so it does not move...
        with pytest.raises(EmbeddedError, match=f"Port {port} .* is taken"):
            server.start()
        # ... and nobody knows this one's.
        with EmbeddedRedis(tmp_path) as moved:
            assert moved.port != port


def test_what_redis_says_is_told(tmp_path: Path) -> None:
    """A Redis that ends at once is an error with the end of its log, and leaves nothing running."""
    server = EmbeddedRedis(tmp_path, policy="keep-everything")
    with pytest.raises(EmbeddedError, match="Redis ended with exit status 1") as caught:
        server.start()
    assert "maxmemory-policy keep-everything" in str(caught.value.hint)
    assert server.pid is None


def test_what_kafka_says_is_told(tmp_path: Path) -> None:
    """A Kafka that ends at once is an error with the end of its log, and leaves nothing running."""
    server = EmbeddedKafka(tmp_path)
    (tmp_path / "formatted").touch()  # although there is no data directory
    with pytest.raises(EmbeddedError, match="Kafka ended with exit status 1") as caught:
        server.start()
    assert "meta.properties" in str(caught.value.hint)
    assert server.pid is None

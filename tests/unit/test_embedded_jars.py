"""Downloads for the embedded Kafka are what the lock file says, or an error that names the jar."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import re
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stream.embedded.jars import ensure_jars
from stream.embedded.lock import COORDINATES, KAFKA, Jar, Lock, read_lock, write_lock
from stream.embedded.ports import free_port
from stream.errors import EmbeddedError

FILES = {f"part-{number}": f"the bytes of part {number}".encode() * 99 for number in range(5)}


class Repository(ThreadingHTTPServer):
    """A Maven repository on the loopback address, which counts what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = {f"/g/{name}/1/{name}-1.jar": data for name, data in FILES.items()}
        self.asked: list[str] = []

    @property
    def address(self) -> dict[str, str]:
        """As `ensure_jars` takes it."""
        return {"local": f"http://127.0.0.1:{self.server_port}"}


class Answer(BaseHTTPRequestHandler):
    """Serves the files and their SHA-1 sums."""

    def do_GET(self) -> None:
        """Answer one request."""
        assert isinstance(self.server, Repository)
        self.server.asked.append(self.path)
        data = self.server.files.get(self.path.removesuffix(".sha1"))
        if data is not None and self.path.endswith(".sha1"):
            data = hashlib.sha1(data, usedforsecurity=False).hexdigest().encode()
        self.send_response(200 if data is not None else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def left_open() -> Iterator[None]:
    """Collects the connections that jgo leaves open after an answer other than 200."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def repository() -> Iterator[Repository]:
    """A repository that has all the files."""
    with Repository() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lock() -> Lock:
    """A lock file of those files."""
    return Lock(
        kafka="4.1.0",
        jars=tuple(
            Jar(f"g:{name}:1", hashlib.sha256(data).hexdigest(), len(data))
            for name, data in FILES.items()
        ),
    )


def test_jars_are_downloaded_once(repository: Repository, lock: Lock, tmp_path: Path) -> None:
    """All jars arrive with their bytes, progress is told to the end, and then no network is needed."""
    told: list[tuple[int, int, str]] = []
    paths = ensure_jars(
        lock,
        tmp_path / "jars",
        progress=lambda *step: told.append(step),
        repositories=repository.address,
    )
    assert [path.read_bytes() for path in paths] == list(FILES.values())
    total = sum(map(len, FILES.values()))
    assert (told[0], told[-1]) == ((0, total, "Kafka 4.1.0"), (total, total, "Kafka 4.1.0"))
    repository.asked.clear()
    assert ensure_jars(lock, tmp_path / "jars", repositories=repository.address) == paths
    assert repository.asked == []
    assert sorted(tmp_path.joinpath("jars").iterdir()) == sorted(paths)


def test_a_wrong_sum_is_refused(repository: Repository, lock: Lock, tmp_path: Path) -> None:
    """A jar with another sum than the lock file's is an error that names it, and is not kept."""
    repository.files["/g/part-3/1/part-3-1.jar"] += b"and something else"
    with pytest.raises(EmbeddedError, match=r"g:part-3:1 is not the expected file.*SHA-256"):
        ensure_jars(lock, tmp_path, repositories=repository.address)
    assert not list(tmp_path.rglob("part-3*"))


def test_a_damaged_jar_is_replaced(repository: Repository, lock: Lock, tmp_path: Path) -> None:
    """A jar that was damaged in the cache is downloaded again, and only that one."""
    paths = ensure_jars(lock, tmp_path, repositories=repository.address)
    paths[2].write_bytes(b"x" * len(FILES["part-2"]))
    repository.asked.clear()
    ensure_jars(lock, tmp_path, repositories=repository.address)
    assert paths[2].read_bytes() == FILES["part-2"]
    assert {path.removesuffix(".sha1") for path in repository.asked} == {"/g/part-2/1/part-2-1.jar"}


def test_what_is_missing_is_named(lock: Lock, tmp_path: Path, repository: Repository) -> None:
    """Neither an absent jar nor an absent network ends in anything but a named error."""
    with pytest.raises(EmbeddedError, match=r"g:part-\d:1 could not be downloaded"):
        ensure_jars(lock, tmp_path, repositories={"none": f"http://127.0.0.1:{free_port()}"})
    del repository.files["/g/part-4/1/part-4-1.jar"]
    with pytest.raises(EmbeddedError, match="g:part-4:1 could not be downloaded"):
        ensure_jars(lock, tmp_path, repositories=repository.address)


def test_two_processes_download_at_once(repository: Repository, lock: Lock, tmp_path: Path) -> None:
    """Processes that fill the same cache at the same time all succeed."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        jobs = [
            pool.apply_async(ensure_jars, (lock, tmp_path), {"repositories": repository.address})
            for _ in range(4)
        ]
        found = [job.get() for job in jobs]
    assert all(paths == found[0] for paths in found)
    assert [path.read_bytes() for path in found[0]] == list(FILES.values())
    assert sorted(tmp_path.iterdir()) == sorted(found[0])


def test_the_lock_file_is_complete() -> None:
    """The lock file pins what is asked for, each jar once, by a SHA-256 sum, without a host name."""
    lock = read_lock()
    coordinates = [jar.coordinate for jar in lock.jars]
    assert lock.kafka == KAFKA
    assert set(COORDINATES) <= set(coordinates)
    assert len(coordinates) == len(set(coordinates)) == 46
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in lock.jars)


def test_a_lock_file_reads_as_it_was_written(lock: Lock, tmp_path: Path) -> None:
    """Writing and reading a lock file gives the same; nonsense is an error that names the file."""
    path = tmp_path / "kafka.lock"
    write_lock(lock, path)
    assert read_lock(path) == lock
    path.write_text("kafka = 4", encoding="utf-8")
    with pytest.raises(EmbeddedError, match=re.escape(str(path))):
        read_lock(path)

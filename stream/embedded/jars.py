"""Kafka's jars: downloaded once per user, checked against the lock file, offline afterwards."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock as Mutex

from stream.embedded.extras import missing
from stream.embedded.files import Progress, no_progress
from stream.embedded.lock import Jar, Lock
from stream.errors import EmbeddedError

# More at once gain nothing: the largest jar is a fifth of all bytes.
_AT_ONCE = 6
_TRIES = 2
# Downloads come in pieces of 8 KiB; a progress bar needs no 5,000 calls.
_STEP = 262_144


def ensure_jars(
    lock: Lock,
    directory: Path,
    *,
    progress: Progress = no_progress,
    repositories: Mapping[str, str] | None = None,
) -> list[Path]:
    """The paths of all jars in `directory`, downloading those that are missing or damaged.

    Several processes may do so at once: each jar appears whole or not at all. `progress`
    counts bytes. `repositories` maps names to the addresses of Maven repositories to ask,
    in place of the default one. Raises EmbeddedError naming the jar that could not be had.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = [jar for jar in lock.jars if not _is_whole(directory / jar.file_name, jar)]
    if wanted:
        meter = _Meter(sum(jar.size for jar in wanted), f"Kafka {lock.kafka}", progress)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            downloads = [
                pool.submit(_download, jar, directory, meter, repositories)
                for jar in sorted(wanted, key=lambda jar: -jar.size)
            ]
            try:
                for download in downloads:
                    download.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [directory / jar.file_name for jar in lock.jars]


class _Meter:
    """Adds up the bytes of downloads that run side by side."""

    def __init__(self, total: int, what: str, progress: Progress) -> None:
        self._total, self._what, self._progress = total, what, progress
        self._done = self._told = 0
        self._mutex = Mutex()
        progress(0, total, what)

    def add(self, count: int) -> None:
        with self._mutex:
            self._done = min(self._done + count, self._total)
            if self._done - self._told >= _STEP or self._done == self._total:
                self._told = self._done
                self._progress(self._done, self._total, self._what)

    @contextmanager
    def file(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """What jgo calls for each file that it downloads."""
        yield self.add


def _download(
    jar: Jar, directory: Path, meter: _Meter, repositories: Mapping[str, str] | None
) -> None:
    """Bring one jar into `directory`: into a scratch directory beside it, checked, renamed."""
    try:
        # Imported here: a warm start must neither need nor pay for it.
        import requests  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as error:
        raise missing(str(error.name), "Kafka's jars cannot be downloaded") from error
    for attempt in range(1, _TRIES + 1):
        with tempfile.TemporaryDirectory(dir=directory, prefix=".part-") as scratch:
            context = MavenContext(
                resolver=PythonResolver(progress_callback=meter.file),
                repo_cache=Path(scratch),
                remote_repos=dict(repositories) if repositories is not None else None,
                timeout=30,
            )
            group, artifact, version = jar.coordinate.split(":")
            try:
                path = context.project(group, artifact).at_version(version).artifact().resolve()
            except (requests.RequestException, RuntimeError, OSError) as error:
                if attempt < _TRIES:
                    continue
                raise EmbeddedError(
                    f"{jar.coordinate} could not be downloaded: {type(error).__name__}.",
                    hint="Check the network connection and try again; "
                    "what has been downloaded is kept.",
                ) from error
            _check(path, jar)
            path.replace(directory / jar.file_name)
            return


def _check(path: Path, jar: Jar) -> None:
    found = _sha256(path)
    if found != jar.sha256:
        raise EmbeddedError(
            f"{jar.coordinate} is not the expected file: its SHA-256 sum is {found}, "
            f"the lock file says {jar.sha256}.",
            hint="Do not use it; find out what changed it on its way, then try again.",
        )


def _is_whole(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

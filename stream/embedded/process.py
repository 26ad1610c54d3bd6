"""One child process: started so that it cannot outlive this one, stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple

_LAUNCHER = Path(__file__).with_name("launch.py")


class Child:
    """A running program whose output is appended to a log.

    It has a process group of its own, so Ctrl-C at the terminal reaches only the parent,
    which then stops its children in order. If the parent dies in whatever way, the child is
    killed (on Linux; elsewhere only an orderly end takes it along). Its environment holds
    `environment` and nothing of the parent's but the search path: options of a Java
    installation or secrets of the caller do not reach it.
    """

    def __init__(
        self,
        command: list[str],
        *,
        directory: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = _spawner.run(_Job(command, directory, log, environment or {}))
        self.pid = self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> bool:
        """Whether the child ended within `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, seconds: float) -> None:
        """Ask the child to end; kill it if it still runs after `seconds`."""
        if self.exit_status is None:
            self._process.terminate()
            if not self.wait(seconds):
                self.kill()

    def kill(self) -> None:
        """Kill the child and whatever it started, and wait until it is gone."""
        if self.exit_status is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


class _Job(NamedTuple):
    command: list[str]
    directory: Path
    log: Path
    environment: Mapping[str, str]


class _Spawner:
    """Starts every child from one thread that lives as long as this process.

    The death signal that `launch` asks for comes when the *thread* that started the child
    ends, not the process: a server started from a short-lived thread would be killed with it.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[subprocess.Popen[bytes]], _Job]] = SimpleQueue()
        self._lock = Lock()
        self._thread: Thread | None = None

    def run(self, job: _Job) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._serve, name="embedded-spawner", daemon=True)
                self._thread.start()
        started: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((started, job))
        return started.result()

    def _serve(self) -> None:
        while True:
            started, job = self._jobs.get()
            try:
                started.set_result(_spawn(job))
            except BaseException as error:  # noqa: BLE001 -- the caller gets it
                started.set_exception(error)


def _spawn(job: _Job) -> subprocess.Popen[bytes]:
    launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
    with job.log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 -- fixed programs, no shell
            launch + job.command,
            cwd=job.directory,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def _renew() -> None:
    global _spawner  # noqa: PLW0603 -- a forked copy of this process lacks the thread
    _spawner = _Spawner()


_spawner = _Spawner()
os.register_at_fork(after_in_child=_renew)

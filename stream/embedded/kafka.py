"""Apache Kafka as a child process: one node that is broker and controller."""

from __future__ import annotations

import base64
import shutil
import uuid
from pathlib import Path
from typing import ClassVar

from stream.embedded.archive import ensure_archive
from stream.embedded.files import Progress, cache_directory, no_progress, write_private
from stream.embedded.identity import USERNAME, Identity
from stream.embedded.jars import ensure_jars
from stream.embedded.java import java_program, write_arguments
from stream.embedded.lock import KAFKA, read_lock
from stream.embedded.ports import LOOPBACK
from stream.embedded.probe import kafka_answers
from stream.embedded.process import Child
from stream.embedded.properties import DATA, broker_properties
from stream.embedded.server import EmbeddedServer


class EmbeddedKafka(EmbeddedServer):
    """A real Kafka for demo, tests and benchmarks; see EmbeddedServer for its life.

    Clients log in with SASL_PLAINTEXT, mechanism PLAIN, `username` and `password`. The first
    start on a machine downloads Kafka and prepares quick starts, which `progress` is told.
    """

    name: ClassVar[str] = "Kafka"
    port_count: ClassVar[int] = 2  # clients, controller
    version: ClassVar[str] = KAFKA
    username: ClassVar[str] = USERNAME

    def __init__(
        self, directory: Path, *, port: int | None = None, progress: Progress | None = None
    ) -> None:
        super().__init__(directory, port=port)
        self._progress = progress or no_progress
        self._jars: list[Path] = []
        self._options: list[str] = []

    @property
    def bootstrap(self) -> str:
        """The address for clients, host and port."""
        return f"{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        java_program()
        lock = read_lock()
        store = cache_directory() / f"kafka-{lock.kafka}-{lock.digest}"
        self._jars = ensure_jars(lock, store, progress=self._progress)
        archive = ensure_archive(store, self._jars, self._train, self._progress)
        self._options = [f"-XX:AOTCache={archive}"] if archive is not None else []

    def _train(self, directory: Path, options: list[str]) -> None:
        with _TrainingKafka(directory, self._jars, options):
            pass

    def _configure(self, identity: Identity) -> list[str]:
        properties, arguments = self.directory / "server.properties", self.directory / "java.args"
        write_private(properties, broker_properties(identity))
        write_arguments(arguments, self._jars, self._options)
        if not (self.directory / "formatted").exists():
            # What a format that was cut short has left would be refused.
            shutil.rmtree(self.directory / DATA, ignore_errors=True)
            self._format(properties)
        return [java_program(), f"@{arguments}", "kafka.Kafka", str(properties)]

    def _format(self, properties: Path) -> None:
        """Lay out an empty data directory, as Kafka wants it before its first start."""
        arguments = self.directory / "format.args"
        # Over within a second, so the second compiler never pays for itself.
        quick = ["-XX:TieredStopAtLevel=1"]
        write_arguments(arguments, self._jars, [*self._archive_options(), *quick])
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--standalone"]
        # One word: an id that begins with "-", as one in 64 does, would be read as an option.
        tool += [f"--cluster-id={cluster}", f"--config={properties}"]
        self._child = Child(
            [java_program(), f"@{arguments}", *tool], directory=self.directory, log=self.log
        )
        if not self._child.wait(self.start_seconds) or self._child.exit_status != 0:
            raise self._failure("could not lay out its data directory")
        (self.directory / "formatted").touch()

    def _archive_options(self) -> list[str]:
        return self._options

    def _answers(self, identity: Identity, seconds: float) -> bool:
        return kafka_answers(identity, min(seconds, 2.0))


class _TrainingKafka(EmbeddedKafka):
    """A Kafka that only starts and stops, for Java to record what it loads."""

    stop_seconds: ClassVar[float] = 60.0  # writes its record at the end

    def __init__(self, directory: Path, jars: list[Path], options: list[str]) -> None:
        super().__init__(directory)
        self._jars, self._options = jars, options

    def _prepare(self) -> None:
        pass

    def _archive_options(self) -> list[str]:
        return []

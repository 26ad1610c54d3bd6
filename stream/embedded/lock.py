"""The lock file: every jar that the embedded Kafka needs, with its SHA-256 sum.

`python -m stream.embedded.lock` resolves the coordinates below afresh and writes it anew.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stream.errors import BandshiftError, EmbeddedError

KAFKA = "4.1.0"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA}",
    # Kafka names no logger of its own: without one, every reason for a failure is lost.
    # This one writes to standard error and needs no configuration file.
    "org.slf4j:slf4j-simple:1.7.36",
)
LOCK_FILE = Path(__file__).with_name("kafka.lock")


@dataclass(frozen=True)
class Jar:
    """One file of the class path. `coordinate` is group:artifact:version, `size` in bytes."""

    coordinate: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Artifact, version and the beginning of the sum: another sum is another file."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}-{self.sha256[:12]}.jar"


@dataclass(frozen=True)
class Lock:
    """What `kafka.lock` says: Kafka's version and its jars."""

    kafka: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        """A short name for exactly this set of jars."""
        sums = "".join(sorted(jar.sha256 for jar in self.jars))
        return hashlib.sha256(sums.encode()).hexdigest()[:12]


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """The lock file's contents. Raises EmbeddedError if it is missing or malformed."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        jars = tuple(Jar(**jar) for jar in told["jar"])
        return Lock(kafka=told["kafka"], jars=jars)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddedError(f"The lock file {path} cannot be read: {error!r}.") from error


def write_lock(lock: Lock, path: Path = LOCK_FILE) -> None:
    """Write the lock file, jars in alphabetical order."""
    lines = ["# Written by `python -m stream.embedded.lock`.", f'kafka = "{lock.kafka}"']
    for jar in sorted(lock.jars, key=lambda jar: jar.coordinate):
        lines += ["", "[[jar]]", f'coordinate = "{jar.coordinate}"']
        lines += [f'sha256 = "{jar.sha256}"', f"size = {jar.size}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def resolve() -> Lock:
    """Resolve the coordinates and their dependencies, and download each jar to sum it up.

    Starts from an empty repository cache, so that nothing unseen slips into the lock file.
    """
    # Only the maintainer and a first download need it.
    from jgo.maven import MavenContext  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as cache:
        context = MavenContext(repo_cache=Path(cache), timeout=60)
        names = [name.rsplit(":", 1) for name in COORDINATES]
        wanted = [context.create_dependency(f"{name}:jar:{v}:compile") for name, v in names]
        direct, transitive = context.resolver.resolve(wanted)
        artifacts = [dependency.artifact for dependency in direct]
        artifacts += [
            dependency.artifact
            for dependency in transitive
            if dependency.scope in ("compile", "runtime")
        ]
        with ThreadPoolExecutor(4) as pool:
            paths = list(pool.map(lambda artifact: artifact.resolve(), artifacts))
        jars = []
        for artifact, path in zip(artifacts, paths, strict=True):
            data = path.read_bytes()
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            jars.append(Jar(coordinate, hashlib.sha256(data).hexdigest(), len(data)))
    return Lock(kafka=KAFKA, jars=tuple(jars))


def main() -> int:
    """Write the lock file anew; the exit status."""
    try:
        lock = resolve()
    except (BandshiftError, RuntimeError, OSError) as error:
        print(f"The jars could not be resolved: {error}", file=sys.stderr)  # noqa: T201
        return 1
    write_lock(lock)
    print(f"{LOCK_FILE}: Kafka {lock.kafka}, {len(lock.jars)} jars")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

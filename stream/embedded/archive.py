"""Java's start-up archive: Kafka's classes, loaded and linked once per machine.

Kafka alone takes 5 s of CPU time to start, with the archive 2.5 s. Java makes it in two
steps: a training run that records what was loaded, and a second run that writes the archive.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from stream.embedded.files import Progress
from stream.embedded.java import java_program, write_arguments
from stream.embedded.process import Child
from stream.errors import EmbeddedError

_WRITE_SECONDS = 120.0
_KEPT = 3
_WHAT = "Preparing quick starts of Kafka (once)"

TrainingRun = Callable[[Path, list[str]], None]


def ensure_archive(
    directory: Path, jars: list[Path], train: TrainingRun, progress: Progress
) -> Path | None:
    """The archive for these jars in `directory`, made if it is missing; None to do without.

    `train` runs Kafka in the directory it is given, with the Java options it is given, and
    stops it. A failure is remembered and costs nothing but speed. If another process is
    making the archive at this moment, this one does without.
    """
    # Java refuses an archive if its own modules are not the very file that it was made with.
    modules = (Path(java_program()).parent.parent / "lib" / "modules").stat()
    name = f"{modules.st_size:x}-{modules.st_mtime_ns:x}"
    archive, failed = directory / f"start-{name}.aot", directory / f"start-{name}.failed"
    if archive.exists():
        archive.touch()
        return archive
    if failed.exists():
        return None
    with (directory / "archive.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
        progress(0, 2, _WHAT)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".training-") as scratch:
            try:
                _make(Path(scratch), jars, train, progress).replace(archive)
            except (EmbeddedError, OSError) as error:
                failed.write_text(f"{error}\n", encoding="utf-8")
                return None
        _forget_unused(directory)
        progress(2, 2, _WHAT)
    return archive


def _forget_unused(directory: Path) -> None:
    """Each new virtual environment makes an archive of 67 MB: keep those used last."""
    archives = sorted(directory.glob("start-*.aot"), key=lambda path: -path.stat().st_mtime)
    for path in archives[_KEPT:]:
        path.unlink(missing_ok=True)


def _make(scratch: Path, jars: Iterable[Path], train: TrainingRun, progress: Progress) -> Path:
    record, written = scratch / "record.aotconf", scratch / "written.aot"
    train(scratch / "kafka", ["-XX:AOTMode=record", f"-XX:AOTConfiguration={record}"])
    progress(1, 2, _WHAT)
    options = ["-XX:AOTMode=create", f"-XX:AOTConfiguration={record}", f"-XX:AOTCache={written}"]
    write_arguments(scratch / "java.args", jars, options)
    child = Child(
        [java_program(), f"@{scratch / 'java.args'}"],
        directory=scratch,
        log=scratch / "written.log",
    )
    try:
        ended = child.wait(_WRITE_SECONDS)
    finally:
        child.kill()
    if not ended or child.exit_status != 0 or not written.exists():
        raise EmbeddedError("Java did not write its start-up archive.")
    written.chmod(0o600)
    return written

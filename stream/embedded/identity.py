"""What an embedded server keeps from one start to the next: its ports and its password."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from stream.embedded.files import write_private
from stream.errors import EmbeddedError

USERNAME = "bandshift"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Ports on the loopback address, the one for clients first, and the password."""

    ports: tuple[int, ...]
    password: str

    def save(self, path: Path) -> None:
        """Write this to a file that only the owner can read."""
        write_private(path, json.dumps(asdict(self)))


def new_password() -> str:
    """A random password of letters, digits, `-` and `_`: safe in a URL and in any quotes."""
    return secrets.token_urlsafe(24)


def load_identity(path: Path) -> Identity | None:
    """What was saved there; None if nothing was. Raises EmbeddedError if it is unreadable."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Identity(ports=tuple(map(int, kept["ports"])), password=str(kept["password"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddedError(
            f"{path} is not what an embedded server wrote there.",
            hint=f"Remove the directory {path.parent} to begin with empty data.",
        ) from error

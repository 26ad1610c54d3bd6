"""Free ports on the loopback address."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 15_000
_TRIES = 100


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        # As servers do: connections of the last run that still wait do not count.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A free port below the range that the system hands out for outgoing connections.

    A port from that range could be gone while a server restarts: a client that keeps
    dialling it may be given the very same port for its own end, and then talks to itself.
    """
    end = _first_ephemeral_port()
    for _ in range(_TRIES if end > _LOWEST else 0):
        port = _LOWEST + secrets.randbelow(end - _LOWEST)
        if is_free(port):
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((LOOPBACK, 0))
        bound: int = sock.getsockname()[1]
        return bound


def _first_ephemeral_port() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        return int(text.split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768

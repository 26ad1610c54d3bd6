"""Does the embedded Kafka answer? Asked with name and password, before any client is there.

Three requests of the Kafka protocol, written out: a client library would log every failed
try of a server that is still starting, and needs an event loop that the caller may be in.
"""

from __future__ import annotations

import socket
import struct

from stream.embedded.identity import USERNAME, Identity
from stream.embedded.ports import LOOPBACK

# (request, version) as the protocol numbers them.
_SASL_HANDSHAKE = (17, 1)
_SASL_AUTHENTICATE = (36, 0)
_METADATA = (3, 1)


def kafka_answers(identity: Identity, seconds: float) -> bool:
    """Whether Kafka accepts the password and names a broker that is ready for clients.

    Waits for each reply at most `seconds`; a refused connection is answered at once.
    """
    try:
        with socket.create_connection((LOOPBACK, identity.ports[0]), timeout=seconds) as sock:
            mechanism, secret = b"PLAIN", f"\0{USERNAME}\0{identity.password}".encode()
            handshake = _ask(sock, _SASL_HANDSHAKE, _string(mechanism))
            if handshake[:2] != b"\0\0":  # an error code
                return False
            authenticated = _ask(sock, _SASL_AUTHENTICATE, struct.pack(">i", len(secret)) + secret)
            if authenticated[:2] != b"\0\0":
                return False
            brokers = _ask(sock, _METADATA, struct.pack(">i", 0))  # of no topic
            return int.from_bytes(brokers[:4]) > 0
    except (OSError, EOFError):
        return False


def _ask(sock: socket.socket, request: tuple[int, int], body: bytes) -> bytes:
    """Send one request; the reply behind its correlation id."""
    message = struct.pack(">hhi", *request, 0) + _string(b"bandshift") + body
    sock.sendall(struct.pack(">i", len(message)) + message)
    (size,) = struct.unpack(">i", _read(sock, 4))
    return _read(sock, size)[4:]


def _string(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text


def _read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data

"""A small HTTP intake on loopback: reads touchpoints as the schemas do, keeps them in a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from schemas.intake import read
from schemas.intake_answer import IntakeAnswer
from schemas.rejections import Rejection
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry

Reply = tuple[int, bytes] | None
"""Status and body; None closes the connection without a word."""
_REGISTRY = TypeRegistry()


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Intake:
    """The server's address, what came in, and what it says instead of its usual answer, in turn."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    taken: list[Touchpoint] = field(default_factory=list)
    says: list[Callable[[bytes], Reply]] = field(default_factory=list)

    def answer(self, body: bytes) -> Reply:
        """The next scripted reply; the usual answer where there is none."""
        return self.says.pop(0)(body) if self.says else self.take(body)

    def take(self, body: bytes) -> Reply:
        """Take in one touchpoint or a list."""
        sent = json.loads(body)
        items = sent if isinstance(sent, list) else [sent]
        found = [read(json.dumps(item).encode(), _REGISTRY) for item in items]
        taken = [each for each in found if isinstance(each, Touchpoint)]
        self.taken += taken
        rejections = [
            (number, each) for number, each in enumerate(found) if isinstance(each, Rejection)
        ]
        answer = IntakeAnswer.of([each.event_id for each in taken], rejections)
        return answer.status, answer.model_dump_json().encode()


@contextmanager
def serve() -> Iterator[Intake]:
    """Run an intake on a free port."""
    intake = Intake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            port = self.client_address[1]
            intake.requests.append(Request(self.path, dict(self.headers.items()), body, port))
            reply = intake.answer(body)
            if reply is None:
                self.close_connection = True
                return
            status, answer = reply
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    intake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield intake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""For producers: send touchpoints over HTTP, or get what a Kafka producer needs to send them itself.

Sending again is always safe: a touchpoint is known by its event_id, and the second one is ignored.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from schemas.home import home
from schemas.intake_answer import IntakeAnswer, RejectedTouchpoint
from schemas.touchpoint import Touchpoint

PATH: Final = "/v1/touchpoints"
MOST_ANSWER_BYTES: Final = 8 << 20
"""An answer longer than this is none of the intake's."""

LIBRDKAFKA: Final[Mapping[str, str]] = {
    "partitioner": "murmur2_random",
    "acks": "all",
    "enable.idempotence": "true",
}
"""Settings for producers on librdkafka (confluent-kafka and others). Its own partitioner is CRC32: with that,
most touchpoints would arrive away from the customer's home and be forwarded, at twice the cost."""


class KafkaRecord(NamedTuple):
    """What to hand to a Kafka producer: bytes, and the customer's home partition."""

    key: bytes
    value: bytes
    partition: int


def record(touchpoint: Touchpoint, partitions: int) -> KafkaRecord:
    """A touchpoint as a record for a topic of `partitions` partitions; ValueError if that is below 1."""
    if partitions < 1:
        message = f"partitions: expected at least 1, got {partitions}"
        raise ValueError(message)
    key = touchpoint.customer_id.encode()
    return KafkaRecord(key, touchpoint.to_json(), home(touchpoint.customer_id, partitions))


class ClientError(Exception):
    """Touchpoints could not be sent; one sentence says why.

    `status` is the HTTP status, None where no answer came. `answer` tells of the touchpoints that were
    answered before; sending all of them again does no harm.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.answer = IntakeAnswer(accepted=(), rejected=())


class _Problem(BaseModel):
    """What is read of a problem (RFC 9457) that is about a whole request."""

    detail: str


class _Unreachable(Exception):  # noqa: N818 (not for callers: it means "try again")
    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Sends touchpoints to the HTTP intake over one connection that is kept open. Not for several threads.

    `base_url` is where the API is, such as http://127.0.0.1:8080. A request holds at most `max_items`
    touchpoints and `max_bytes`, and more than that goes in several. Where the connection fails or the
    intake answers 503, it is tried `tries` times, with pauses of 0.1 seconds and twice as long each time.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        tries: int = 4,
        max_items: int = 500,
        max_bytes: int = 512 * 1024,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """ClientError for a `base_url` or `token` that cannot be used."""
        try:
            parts = urlsplit(base_url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in {"http", "https"} or not host:
            raise ClientError(
                f"base_url: expected http://host:port or https://..., got {base_url!r}"
            )
        self._connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout)
        )
        self._url = base_url
        self._path = parts.path.rstrip("/") + PATH
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if token is not None:
            if not (token.isascii() and token.isprintable() and token.strip()):
                raise ClientError("token: expected printable ASCII characters")
            self._headers["authorization"] = f"Bearer {token}"
        self._tries, self._sleep = max(1, tries), sleep
        self._max_items, self._max_bytes = max_items, max_bytes

    def send(self, touchpoints: Touchpoint | Iterable[Touchpoint]) -> IntakeAnswer:
        """Send one touchpoint or several; what was taken, and what was rejected and why.

        ClientError where there is no such answer: nothing that it does not tell of is promised.
        """
        if isinstance(touchpoints, Touchpoint):
            return self._post(touchpoints.to_json(), 1)
        accepted: list[str] = []
        rejected: list[RejectedTouchpoint] = []
        sent = 0
        for batch in self._batches(touchpoints):
            try:
                answer = self._post(b"[" + b",".join(batch) + b"]", len(batch))
            except ClientError as error:
                error.answer = IntakeAnswer(accepted=tuple(accepted), rejected=tuple(rejected))
                raise
            accepted += answer.accepted
            rejected += (
                each.model_copy(update={"index": each.index + sent}) for each in answer.rejected
            )
            sent += len(batch)
        return IntakeAnswer(accepted=tuple(accepted), rejected=tuple(rejected))

    def close(self) -> None:
        """Close the connection; the next `send` opens it again."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _batches(self, touchpoints: Iterable[Touchpoint]) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        size = 2  # the brackets
        for touchpoint in touchpoints:
            body = touchpoint.to_json()
            if batch and (len(batch) >= self._max_items or size + len(body) + 1 > self._max_bytes):
                yield batch
                batch, size = [], 2
            batch.append(body)
            size += len(body) + 1
        if batch:
            yield batch

    def _post(self, body: bytes, number: int) -> IntakeAnswer:
        """The answer to a request of `number` touchpoints."""
        pause = 0.1
        for _ in range(self._tries - 1):
            try:
                return _read_answer(*self._try(body), number)
            except _Unreachable:
                self._sleep(pause)
                pause *= 2
        try:
            return _read_answer(*self._try(body), number)
        except _Unreachable as error:
            raise ClientError(str(error), error.status) from error.__cause__

    def _try(self, body: bytes) -> tuple[int, bytes]:
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            answer = response.read(MOST_ANSWER_BYTES)
            if not response.isclosed():  # there is more, which the next answer would be taken for
                self._connection.close()
        except ssl.SSLCertVerificationError as error:
            self._connection.close()
            raise ClientError(f"{self._url}: expected a certificate to trust, {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise _Unreachable(
                f"{self._url} does not answer: {str(error) or type(error).__name__}"
            ) from error
        if response.status == http.client.SERVICE_UNAVAILABLE:
            said = _detail(answer) or "Kafka has not confirmed the touchpoints"
            raise _Unreachable(f"{self._url} takes nothing now: {said}", response.status)
        return response.status, answer


def _detail(answer: bytes) -> str:
    try:
        return _Problem.model_validate_json(answer).detail
    except ValidationError:
        return ""


def _read_answer(status: int, answer: bytes, number: int) -> IntakeAnswer:
    if status not in {http.client.ACCEPTED, http.client.UNPROCESSABLE_ENTITY}:
        expected = {
            401: "token: expected one that the intake knows",
            403: "token: expected one that may send touchpoints",
            413: "max_bytes: expected a smaller limit, the request is too large for the intake",
        }.get(status, "base_url: expected bandshift's intake there")
        said = _detail(answer)
        raise ClientError(f"{expected} (status {status}{': ' + said if said else ''})", status)
    try:
        read = IntakeAnswer.model_validate_json(answer)
    except ValidationError:
        read = None
    if read is None or len(read.accepted) + len(read.rejected) != number:
        message = f"base_url: expected an answer for each of {number} touchpoints, got another one"
        raise ClientError(message, status)
    return read

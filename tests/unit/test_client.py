"""The producers' client: what it sends, what it makes of answers, and when it tries again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event

import pytest

from schemas.client import LIBRDKAFKA, Client, ClientError, record
from schemas.home import home
from schemas.intake import read
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry
from tests.support.intake_server import Intake, Reply, serve


def touchpoint(number: int, kind: str = "purchase", customer: str = "ann") -> Touchpoint:
    """The touchpoint with that number."""
    happened = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    return Touchpoint(
        event_id=f"e{number}", customer_id=customer, type=kind, occurred_at=happened, value=1.5
    )


@pytest.fixture
def intake() -> Iterator[Intake]:
    """An intake to send to."""
    with serve() as running:
        yield running


def unavailable(_: bytes) -> Reply:
    """What the intake says while Kafka is away."""
    problem = {"title": "Unavailable", "status": 503, "detail": "Kafka does not answer"}
    return 503, json.dumps(problem).encode()


def hang_up(_: bytes) -> Reply:
    """A connection that is lost before the answer."""
    return None


def test_one_touchpoint_goes_as_an_object_with_the_token(intake: Intake) -> None:
    """A single touchpoint is one JSON object, sent with the bearer token, and comes back as accepted."""
    with Client(intake.url, "secret") as client:
        answer = client.send(touchpoint(1))
    (request,) = intake.requests
    assert request.path == "/v1/touchpoints"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["event_id"] == "e1"
    assert answer.accepted == ("e1",)
    assert answer.rejected == ()
    assert intake.taken == [touchpoint(1)]


def test_without_a_token_none_is_sent(intake: Intake) -> None:
    """Where no token is given, no authorization header is sent."""
    with Client(intake.url) as client:
        client.send(touchpoint(1))
    assert "authorization" not in {name.lower() for name in intake.requests[0].headers}


def test_a_rejected_touchpoint_comes_back_with_reason_field_and_detail(intake: Intake) -> None:
    """Of several touchpoints the good are taken, and the bad one is named by its place, with the problem."""
    with Client(intake.url) as client:
        answer = client.send([touchpoint(1), touchpoint(2, "smoke_signal"), touchpoint(3)])
    (rejected,) = answer.rejected
    assert answer.accepted == ("e1", "e3")
    assert rejected.index == 1
    assert rejected.problem.reason == "unknown_type"
    assert rejected.problem.field == "type"
    assert rejected.problem.type == "/problems/unknown_type"
    assert "smoke_signal" in rejected.problem.detail


def test_an_answer_of_none_taken_is_an_answer(intake: Intake) -> None:
    """Status 422 with a problem for each touchpoint is returned, not raised."""
    with Client(intake.url) as client:
        answer = client.send(touchpoint(1, "smoke_signal"))
    assert answer.accepted == ()
    assert [each.index for each in answer.rejected] == [0]


def test_a_reason_newer_than_the_client_is_passed_on(intake: Intake) -> None:
    """A reason code that the client does not know is given as it came."""

    def newer(_: bytes) -> Reply:
        problem = {"type": "/problems/x", "title": "X", "status": 422, "detail": "x: y"}
        problem |= {"reason": "x", "field": "x"}
        body = {"accepted": [], "rejected": [{"index": 0, "problem": problem}]}
        return 422, json.dumps(body).encode()

    intake.says = [newer]
    with Client(intake.url) as client:
        assert client.send(touchpoint(1)).rejected[0].problem.reason == "x"


@pytest.mark.parametrize("limits", [{"max_items": 2}, {"max_bytes": 240}])
def test_many_touchpoints_go_in_several_requests(intake: Intake, limits: dict[str, int]) -> None:
    """More than a request may hold goes in several, over one connection, and places count through."""
    sent = [touchpoint(number, "smoke_signal" if number == 4 else "sms") for number in range(5)]
    client = Client(intake.url, **limits)  # type: ignore[arg-type]  # mypy takes them for any argument
    answer = client.send(iter(sent))
    client.close()
    assert [len(json.loads(request.body)) for request in intake.requests] == [2, 2, 1]
    assert len({request.connection for request in intake.requests}) == 1
    assert answer.accepted == ("e0", "e1", "e2", "e3")
    assert [each.index for each in answer.rejected] == [4]


def test_nothing_to_send_asks_nobody(intake: Intake) -> None:
    """An empty list is answered without a request."""
    with Client(intake.url) as client:
        answer = client.send([])
    assert (answer.accepted, answer.rejected, intake.requests) == ((), (), [])


@pytest.mark.parametrize("trouble", [unavailable, hang_up])
def test_it_tries_again_with_the_same_body(
    intake: Intake, trouble: Callable[[bytes], Reply]
) -> None:
    """After a lost connection or a 503 the same bytes are sent again, with growing pauses."""
    pauses: list[float] = []
    intake.says = [trouble, trouble]
    with Client(intake.url, sleep=pauses.append) as client:
        answer = client.send(touchpoint(1))
    assert answer.accepted == ("e1",)
    assert len({request.body for request in intake.requests}) == 1
    assert len(intake.requests) == 3
    assert pauses == [0.1, 0.2]


def test_an_answer_that_does_not_come_is_asked_for_again(intake: Intake) -> None:
    """After a time-out the touchpoint is sent again, over another connection."""
    over = Event()

    def keep_waiting(_: bytes) -> Reply:
        over.wait(60)
        return None

    intake.says = [keep_waiting]
    with Client(intake.url, timeout=0.2, tries=2, sleep=lambda _: None) as client:
        answer = client.send(touchpoint(1))
    over.set()
    assert answer.accepted == ("e1",)
    assert len({request.connection for request in intake.requests}) == 2


def test_it_gives_up_after_the_tries(intake: Intake) -> None:
    """Where it stays unavailable, an error says so in the server's words, with the status."""
    intake.says = [unavailable] * 3
    with (
        Client(intake.url, tries=3, sleep=lambda _: None) as client,
        pytest.raises(ClientError, match="Kafka does not answer") as raised,
    ):
        client.send(touchpoint(1))
    assert raised.value.status == 503
    assert len(intake.requests) == 3


def test_nobody_there_is_one_sentence() -> None:
    """Where nothing listens, the error names the address and has no status."""
    with serve() as gone:
        url = gone.url
    with pytest.raises(ClientError, match=f"^{url} does not answer: ") as raised:
        Client(url, tries=2, sleep=lambda _: None).send(touchpoint(1))
    assert raised.value.status is None
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"detail": "no token"}', r"^token: expected .* \(status 401: no token\)$"),
        (403, b"", r"^token: expected .* \(status 403\)$"),
        (413, b"", r"^max_bytes: expected a smaller limit"),
        (404, b"<html>", r"^base_url: expected bandshift's intake there \(status 404\)$"),
        (302, b"", r"^base_url: "),
        (500, b"", r"^base_url: "),
        (202, b"hello", r"^base_url: expected an answer for each of 1 touchpoints"),
        (202, b'{"accepted": [], "rejected": []}', r"^base_url: expected an answer for each"),
        (422, b'{"detail": [{"msg": "other"}]}', r"^base_url: expected an answer for each"),
    ],
)
def test_any_other_answer_is_an_error_and_not_tried_again(
    intake: Intake, status: int, body: bytes, words: str
) -> None:
    """Whatever is no answer of the intake is an error of one sentence with its status, after one try."""
    intake.says = [lambda _: (status, body)]
    with Client(intake.url) as client, pytest.raises(ClientError, match=words) as raised:
        client.send(touchpoint(1))
    assert raised.value.status == status
    assert len(intake.requests) == 1


def test_an_error_tells_what_was_answered_before(intake: Intake) -> None:
    """When a later request fails, the error carries what the earlier ones were answered."""
    intake.says = [intake.take, lambda _: (401, b"")]
    with Client(intake.url, max_items=1) as client, pytest.raises(ClientError) as raised:
        client.send([touchpoint(1), touchpoint(2)])
    assert raised.value.answer.accepted == ("e1",)


def test_an_answer_without_end_is_cut(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer that is far too long only a part is read, and the next request is not confused by it."""
    monkeypatch.setattr("schemas.client.MOST_ANSWER_BYTES", 100)
    intake.says = [lambda _: (202, b" " * 1_000)]
    with Client(intake.url, tries=1) as client:
        with pytest.raises(ClientError, match="expected an answer"):
            client.send(touchpoint(1))
        assert client.send(touchpoint(2)).accepted == ("e2",)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://host:port", "http://[::1"]
)
def test_an_unusable_address_is_named(url: str) -> None:
    """A base URL that is none is refused at once, by name."""
    with pytest.raises(ClientError, match=r"^base_url: expected http"):
        Client(url)


@pytest.mark.parametrize("token", ["", " ", "a\nb", "é"])
def test_an_unusable_token_is_named_but_not_shown(token: str) -> None:
    """A token that no header can hold is refused, without repeating it."""
    with pytest.raises(ClientError, match=r"^token: expected printable ASCII characters$"):
        Client("http://127.0.0.1:1", token)


def test_the_path_of_the_address_is_kept(intake: Intake) -> None:
    """Behind a path prefix the intake's path is appended to it."""
    with Client(intake.url + "/bandshift/") as client:
        client.send(touchpoint(1))
    assert intake.requests[0].path == "/bandshift/v1/touchpoints"


def test_a_kafka_record_goes_home_and_reads_back() -> None:
    """Key, value and partition for Kafka: the customer id, the touchpoint's JSON, the home partition."""
    sent = touchpoint(1, customer="Zoë")
    key, value, partition = record(sent, 8)
    assert key == "Zoë".encode()
    assert partition == home("Zoë", 8)
    assert read(value, TypeRegistry()) == sent


def test_a_topic_without_partitions_is_refused() -> None:
    """Fewer than one partition is an error that names the argument."""
    with pytest.raises(ValueError, match=r"^partitions: expected at least 1, got 0$"):
        record(touchpoint(1), 0)


def test_librdkafka_is_told_to_hash_as_java_does() -> None:
    """The settings for librdkafka choose Java's partitioner and acknowledgement by all replicas."""
    assert LIBRDKAFKA["partitioner"] == "murmur2_random"
    assert LIBRDKAFKA["acks"] == "all"

"""Touchpoints over HTTP: what the worker would score is taken, the rest told one by one with the same codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.intake import MOST_BYTES
from schemas.intake_answer import IntakeAnswer
from schemas.rejections import Reason
from stream.api import bodies
from stream.api.bodies import split
from stream.api.problems import ProblemError
from stream.partition.control import Kind
from tests.support.api import Deployment, deployment
from tests.support.world import START, iso, touchpoint

PATH = "/v1/touchpoints"
JSON = {"content-type": "application/json"}
NOW = START + 100


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment that is live, so that the wall clock rules."""
    async with deployment(tmp_path, max_body_bytes=300_000, max_items=50) as opened:
        opened.world.wall = NOW
        opened.broker.live = True
        await opened.watch.look()
        yield opened


async def post(
    made: Deployment, body: Any, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Status and body of an answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with made.client() as client:
        answer = await client.post(
            PATH, content=content, headers=JSON if headers is None else headers
        )
    return answer.status_code, answer.json()


def point(number: int = 1, customer: str = "2281", **more: Any) -> dict[str, Any]:
    """A touchpoint that happened just now."""
    return json.loads(touchpoint(number, customer, "purchase", NOW)) | more  # type: ignore[no-any-return]


async def test_one_touchpoint_reaches_the_broker_as_it_was_sent(made: Deployment) -> None:
    """The record's value is the bytes sent, its key the customer, its partition the customer's home."""
    body = (
        b'  {"customer_id": "2281", "event_id":"e1","type":"purchase", "occurred_at":"%s"} '
        % iso(NOW).encode()
    )

    status, answer = await post(made, body)

    (sent,) = made.broker.sent
    assert (status, answer) == (202, {"accepted": ["e1"], "rejected": []})
    assert (sent.value, sent.key, sent.partition) == (body, b"2281", made.home("2281"))
    assert (sent.headers, sent.timestamp) == ((), None)


async def test_a_list_is_taken_item_by_item(made: Deployment) -> None:
    """Good items are taken and bad ones told with their place, in one answer that the client's model reads."""
    body = [point(1), point(2, type="dance"), point(3, customer="9"), 17]

    status, answer = await post(made, body)

    read = IntakeAnswer.model_validate(answer)
    assert status == 202 == read.status
    assert read.accepted == ("e1", "e3")
    assert [(each.index, each.problem.reason) for each in read.rejected] == [
        (1, Reason.UNKNOWN_TYPE),
        (3, Reason.WRONG_SHAPE),
    ]
    assert [json.loads(sent.value) for sent in made.broker.sent] == [body[0], body[2]]


POISON: dict[str, tuple[Any, Reason, str]] = {
    "missing": (
        {"event_id": "e", "type": "purchase", "occurred_at": iso(NOW)},
        Reason.MISSING_FIELD,
        "customer_id",
    ),
    "type": (point(type="dance"), Reason.UNKNOWN_TYPE, "type"),
    "no zone": (point(occurred_at="2026-01-31T09:30:00"), Reason.TIME_WITHOUT_ZONE, "occurred_at"),
    "no time": (point(occurred_at="yesterday"), Reason.TIME_INVALID, "occurred_at"),
    "ahead": (point(occurred_at=iso(NOW + 301)), Reason.TIME_AHEAD, "occurred_at"),
    "too old": (point(occurred_at=iso(NOW - 91 * 86_400)), Reason.TIME_TOO_OLD, "occurred_at"),
    "nan": (point(value=float("nan")), Reason.VALUE_INVALID, "value"),
    "infinite": (point(value=float("inf")), Reason.VALUE_INVALID, "value"),
    "absurd": (point(value=1e12), Reason.VALUE_INVALID, "value"),
    "no customer": (point(customer_id=""), Reason.CUSTOMER_ID_INVALID, "customer_id"),
    "long customer": (point(customer_id="x" * 257), Reason.CUSTOMER_ID_INVALID, "customer_id"),
    "control character": (point(customer_id="a\u0007"), Reason.CUSTOMER_ID_INVALID, "customer_id"),
    "large": (point(attributes={"text": "x" * 70_000}), Reason.TOO_LARGE, "record"),
    "stage": (point(stage="late"), Reason.STAGE_INVALID, "stage"),
}


@pytest.mark.parametrize("kind", POISON)
async def test_what_cannot_be_scored_is_told_as_the_dead_letters_do(
    made: Deployment, kind: str
) -> None:
    """Alone and among good ones, each bad touchpoint gets its code, its field and a sentence, and none is sent."""
    body, reason, field = POISON[kind]

    status, alone = await post(made, body)
    assert made.broker.sent == []
    among = (await post(made, [point(1), body]))[1]

    assert status == 422
    assert among["accepted"] == ["e1"]
    for answer, index in ((alone, 0), (among, 1)):
        (rejected,) = answer["rejected"]
        problem = rejected["problem"]
        assert (rejected["index"], problem["reason"], problem["field"]) == (index, reason, field)
        assert problem["type"] == f"/problems/{reason}"
        assert problem["status"] == 422
        assert problem["detail"].startswith(f"{field}: expected")


async def test_the_record_may_be_as_large_as_the_worker_takes(made: Deployment) -> None:
    """The limit holds for the record that is sent, key and headers included: a byte more is refused at once."""
    size = MOST_BYTES - len("2281")
    body = json.dumps(point()).encode().ljust(size)
    # "ce_x" and its value are a header of 5 bytes, content-type one of 28, and each has two for its lengths.
    attributed = body[: size - 5 - 28 - 4]

    assert (await post(made, body))[0] == 202
    assert (await post(made, body + b" "))[1]["rejected"][0]["problem"]["reason"] == "too_large"
    assert (await post(made, attributed, JSON | {"ce-x": "y"}))[0] == 202
    status, answer = await post(made, attributed + b" ", JSON | {"ce-x": "y"})
    assert (status, answer["rejected"][0]["problem"]["reason"]) == (422, "too_large")
    assert len(made.broker.sent) == 2


async def test_a_deeply_nested_item_spoils_no_other(made: Deployment) -> None:
    """Attributes nested a thousand deep are that item's fault alone."""
    deep = b"[" * 1_000 + b'"],}{"' + b"]" * 1_000
    good = json.dumps(point(1)).encode()
    bad = good[:-1] + b', "attributes": {"a": ' + deep + b"}}"

    status, answer = await post(
        made, b"[" + good + b" ,\n" + bad + b", " + good.replace(b"e1", b"e2") + b"]"
    )

    assert (status, answer["accepted"]) == (202, ["e1", "e2"])
    assert [(each["index"], each["problem"]["reason"]) for each in answer["rejected"]] == [
        (1, "too_deep")
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"[1]",
        b' [ {"a": [1, {"b": "],[\\""}]} , "x,y" , null, [[]] ] ',
        b'[{"a":"\\\\"},{"b":2}]',
    ],
)
def test_items_are_cut_where_the_parser_cuts_them(text: bytes) -> None:
    """Counting brackets finds the same items as the parser, whatever stands in strings."""
    cut = [json.loads(item) for item in bodies._cut(text) if item]
    assert cut == json.loads(text)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b"", "not_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (b"[1,", "not_json"),
        (b"[{},]", "not_json"),
    ],
)
async def test_a_body_that_is_no_json_is_a_problem_of_the_request(
    made: Deployment, body: bytes, reason: str
) -> None:
    """There is no touchpoint to tell of: the whole request is answered with status 400."""
    status, problem = await post(made, body)

    assert (status, problem["type"]) == (400, f"/problems/{reason}")
    assert "body" in problem["detail"] or "record" in problem["detail"]


async def test_limits_of_a_request_are_told(made: Deployment) -> None:
    """Too many bytes, too many items, no items: one problem each, and nothing is sent."""
    assert (await post(made, b" " * 300_001))[0] == 413
    assert (await post(made, [point(number) for number in range(51)]))[0] == 413
    assert (await post(made, []))[0] == 400
    assert made.broker.sent == []


async def test_a_body_that_grows_is_cut_off(made: Deployment) -> None:
    """A body that does not tell its length is refused as soon as it is too long, not when it ends."""
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while given < 10_000_000:
            given += 10_000
            yield b" " * 10_000

    async with made.client() as client:
        answer = await client.post(PATH, content=endless(), headers=JSON)

    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too_large"


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_what_a_foreign_page_may_send_is_refused(made: Deployment, kind: str) -> None:
    """A page of another site may make a browser send these types unasked; none of them is read."""
    status, problem = await post(made, point(), {"content-type": kind} if kind else {})

    assert (status, problem["type"]) == (415, "/problems/unsupported_media_type")
    assert made.broker.sent == []


def event(number: int) -> dict[str, Any]:
    """A structured CloudEvent around a touchpoint."""
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "type": "com.example.purchase",
        "source": "/shop",
        "subject": "2281",
        "time": iso(NOW),
        "data": {"value": 3.5},
    }


async def test_cloudevents_are_taken_in_all_three_forms(made: Deployment) -> None:
    """Structured, batched and binary CloudEvents are taken, and the worker reads them as they were sent."""
    batch = {"content-type": "application/cloudevents-batch+json"}
    binary = JSON | {
        "ce-specversion": "1.0", "ce-id": "e4", "ce-type": "com.example.purchase",
        "ce-source": "/shop", "ce-subject": "k%C3%A4the", "ce-time": iso(NOW),
    }  # fmt: skip
    answers = [
        await post(made, event(1), {"content-type": "application/cloudevents+json; charset=utf-8"}),
        await post(made, [event(2), event(3) | {"specversion": "9"}], batch),
        await post(made, {"value": 1}, binary),
    ]

    await made.catch_up()

    assert [answer["accepted"] for _, answer in answers] == [["e1"], ["e2"], ["e4"]]
    assert answers[1][1]["rejected"][0]["problem"]["reason"] == "cloudevent_invalid"
    scored = {
        (each["customer_id"], each["touchpoint"]["event_id"])
        for each in made.world.bodies("scores")
    }
    assert scored == {("2281", "e1"), ("2281", "e2"), ("käthe", "e4")}


async def test_a_batch_must_be_a_list(made: Deployment) -> None:
    """One event under the batch's type is a problem that says what was expected."""
    status, problem = await post(
        made, event(1), {"content-type": "application/cloudevents-batch+json"}
    )
    assert (status, problem["detail"]) == (400, "body: expected a JSON list of CloudEvents")


async def test_headers_of_bandshifts_own_are_not_handed_on(made: Deployment) -> None:
    """A request cannot forge a control record: only CloudEvents' headers reach the log."""
    forged = JSON | {"bandshift-control": "live", "ce-bandshift-control": "live", "ce-id": "e1"}
    await post(made, point(), forged)

    assert {name for name, _ in made.broker.sent[0].headers} == {"content-type", "ce_id"}


async def test_nothing_is_acknowledged_that_the_broker_does_not_have(made: Deployment) -> None:
    """With Kafka down the answer is 503 with a time to wait, never a list of accepted ids."""
    made.broker.down = True
    async with made.client() as client:
        answer = await client.post(PATH, content=json.dumps(point()), headers=JSON)

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["type"] == "/problems/unavailable"


async def test_history_is_taken_with_its_own_times(tmp_path: Path) -> None:
    """Before going live the record carries its own time, old ones are measured by the log, and the answer says so."""
    async with deployment(tmp_path) as made:
        made.world.wall = NOW + 2_000 * 86_400
        made.world.control(Kind.TICK, NOW)
        await made.catch_up()
        body = [
            point(1),
            point(2, occurred_at=iso(NOW - 91 * 86_400)),
            point(3, occurred_at=iso(made.world.wall + 301)),
        ]
        async with made.client() as client:
            answer = await client.post(PATH, content=json.dumps(body), headers=JSON)

        assert answer.headers["bandshift-clock"] == "history"
        assert answer.json()["accepted"] == ["e1"]
        assert [each["problem"]["reason"] for each in answer.json()["rejected"]] == [
            "time_too_old",
            "time_ahead",
        ]
        assert [sent.timestamp for sent in made.broker.sent] == [NOW * 1000]


class _Slow:
    """A request whose body never ends."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    async def stream(self) -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()


async def test_a_slow_body_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never ends its body holds nothing for ever."""
    monkeypatch.setattr(bodies, "_READ_SECONDS", 0.01)

    with pytest.raises(ProblemError) as raised:
        await bodies.read_body(_Slow(), 100)  # type: ignore[arg-type]

    assert raised.value.status == 408


@pytest.mark.parametrize("end", [b"", b"]]", b"] x"])
def test_a_deep_list_must_end_as_one(end: bytes) -> None:
    """Where items are found by counting brackets, a list cut short is no JSON either: no item is lost unseen."""
    deep = b'[{"a":' + b"[" * 2_000 + b"]" * 2_000 + b'},{"b":1}'
    with pytest.raises(ProblemError) as raised:
        split(deep + end, 10)
    assert raised.value.status == 400


def test_a_single_touchpoint_is_no_list() -> None:
    """What does not begin as a list is handed on whole."""
    assert split(b' {"a": [1]}', 10) is None

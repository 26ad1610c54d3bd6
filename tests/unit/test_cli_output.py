"""What the commands print: readable, safe on a terminal, and never by colour alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from schemas.bands import BANDS, UNSCORED
from schemas.outcomes import Outcome
from schemas.rejections import Reason, Rejection
from stream.broker import deadletters
from stream.broker.replayer import Replayed
from stream.commands import style as styles
from stream.commands.bringing import told
from stream.commands.score import as_data, lines
from stream.commands.style import SHAPES, Style, printable, shown, table
from stream.commands.tail import Plain, json_line
from stream.model.evaluate import Evaluation
from stream.partition.step import DeadLetter

OUTCOME = Outcome(name="purchase", horizon_days=7)
PLAIN = Plain(Style(colour=False))


class Record(NamedTuple):
    """A record as Kafka's client hands it over."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 1_700_000_000_000
    offset: int = 3
    topic: str = "scores"
    partition: int = 2


def records(came_from: str = "moderate", *, silent: bool = False) -> dict[str, Record]:
    """One record of each kind, of one decision, as they are published."""
    decision = {
        "customer_id": "ann",
        "touchpoint": None if silent else {"event_id": "e1", "type": "email_open"},
        "decided_at": "2023-11-14T22:13:20.250Z",
    }
    what = {"outcome": "purchase", "horizon_days": 7, "probability": 0.412345}
    change = decision | what | {"from": came_from, "to": "high", "advice": "Make it personal."}
    found = {
        "scores": decision | {"scores": [what | {"band": "high"}]},
        "band-changes": change,
        "triggers": change | {"rule": "call"},
    }
    return {
        kind: Record(b"ann", json.dumps({"id": kind, "data": data}).encode())
        for kind, data in found.items()
    }


def dead(value: bytes, detail: str = "type: expected another") -> Record:
    """A record of the dead-letter topic."""
    rejection = Rejection(Reason.UNKNOWN_TYPE, "type", detail)
    key, value_kept, headers, _ = deadletters.row(
        "touchpoints", 1, DeadLetter(Record(b"ann", value), rejection)
    )
    return Record(key, value_kept, headers)


def test_a_band_change_reads_as_a_sentence() -> None:
    """Time, customer, outcome, both bands in shape and word, probability and cause stand in one line."""
    line = PLAIN.line("band-changes", records()["band-changes"], None)

    assert line == (
        "2023-11-14 22:13:20  ann  purchase in 7 days: ◑ moderate → ◕ high 41.2 %  (email_open)"
    )


def test_a_first_score_and_silence_are_told() -> None:
    """A customer without a band came from unscored; where time alone moved somebody, silence is the cause."""
    line = PLAIN.line("band-changes", records("unscored", silent=True)["band-changes"], None)

    assert line is not None
    assert "· unscored → ◕ high" in line
    assert line.endswith("(silence)")


def test_scores_and_triggers_read_as_sentences() -> None:
    """A score names every outcome with band and probability; a trigger its rule and what to do."""
    found = records()

    assert PLAIN.line("scores", found["scores"], None) == (
        "2023-11-14 22:13:20  ann  purchase ◕ high 41.2 %  (email_open)"
    )
    line = PLAIN.line("triggers", found["triggers"], None) or ""
    assert "! call  purchase in 7 days: ◑ moderate → ◕ high" in line
    assert line.endswith("Make it personal.")


def test_a_dead_letter_tells_reason_and_origin() -> None:
    """Reason, sentence, origin and the beginning of the value stand in one line."""
    line = PLAIN.line("dead-letters", dead(b'{"type":"nothing"}'), None)

    assert line is not None
    assert "unknown_type  type: expected another  touchpoints 1@3" in line
    assert '{"type":"nothing"}' in line


def test_json_is_what_was_published() -> None:
    """With --json a record is its CloudEvent, unchanged, in one line; a dead letter says where it came from."""
    record = records()["scores"]
    assert json_line("scores", record, None) == (record.value or b"").decode()

    line = json_line("dead-letters", dead(b"\xff\n"), None)
    assert line is not None
    assert "\n" not in line
    assert '"partition": 1, "offset": 3' in line
    assert (
        json_line("dead-letters", Record(b"", b"[]", (("bandshift-redriven", b"1"),)), None) is None
    )


@pytest.mark.parametrize("kind", ["scores", "band-changes", "triggers", "dead-letters"])
def test_one_customer_can_be_asked_for(kind: str) -> None:
    """Records of other customers are left out."""
    record = (records() | {"dead-letters": dead(b"{}")})[kind]

    for tell in (json_line, PLAIN.line):
        assert tell(kind, record, "ann") is not None
        assert tell(kind, record, "bob") is None


def test_nothing_can_act_on_the_terminal() -> None:
    """Control characters, escapes and direction marks of a producer are shown as escapes."""
    evil = "\x1b[2Jann\u202e\r\n\x07"

    assert printable(evil) == "\\x1b[2Jann\\u202e\\r\\n\\x07"
    line = PLAIN.line("dead-letters", dead(evil.encode(), f"customer_id: got {evil}"), None) or ""
    assert line.isprintable()
    assert shown(evil.encode()).isprintable()


def test_long_values_are_shortened() -> None:
    """What is shown of a value is short and says how long it is."""
    assert shown(b"a" * 1000, 10) == "aaaaaaaaaa… (1000 bytes)"
    assert shown(None) == "(null)"
    assert shown(b"ok") == "ok"


def test_every_band_has_a_shape_and_a_colour_of_its_own() -> None:
    """Bands differ in word and shape, not in colour alone; without colour nothing but text is printed."""
    painted = Style(colour=True)

    assert set(SHAPES) == {UNSCORED, *BANDS}
    assert len(set(SHAPES.values())) == len(SHAPES)
    colours = {painted.band(band).split("m")[0] for band in SHAPES}
    assert len(colours) == len(SHAPES)
    for band in SHAPES:
        assert Style(colour=False).band(band) == f"{SHAPES[band]} {band}"


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours go to a terminal only, and not if NO_COLOR is set."""

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not styles.coloured()
    monkeypatch.setattr("sys.stdout", Terminal())
    assert styles.coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not styles.coloured()


def evaluation(**more: Any) -> Evaluation:
    """A score as of now."""
    reasons = ({"family": "purchases", "contribution": 0.7, "text": "2 purchase in 30 days"},)
    given: dict[str, Any] = {"basis": "prior", "model_version": 0, "probability": 0.0712}
    given |= {"band": None, "band_now": BANDS[1], "reasons": reasons} | more
    return Evaluation(OUTCOME, log_odds=-2.3, base_log_odds=-3.0, **given)


def test_a_score_shows_band_probability_advice_and_reasons() -> None:
    """Per outcome: band, probability, what to do, and the parts that add up to the log-odds."""
    shown_lines = lines("ann", 1_700_000_000, [evaluation()], Style(colour=False))

    assert shown_lines == [
        "ann  as of 2023-11-14 22:13:20 UTC",
        "",
        "purchase in 7 days: ◔ low 7.1 %",
        f"  {OUTCOME.advise(BANDS[1])}",
        "   +0.70  purchases: 2 purchase in 30 days",
        "   -3.00  where everybody starts",
    ]


def test_a_band_that_is_on_its_way_is_told() -> None:
    """Where the published band is no longer that of the probability, both are shown."""
    told_lines = lines("ann", 0, [evaluation(band=BANDS[2])], Style(colour=False))

    assert told_lines[2] == "purchase in 7 days: ◑ moderate (moving to ◔ low) 7.1 %"
    assert told_lines[3].strip() == OUTCOME.advise(BANDS[2])


def test_a_learned_score_names_its_version() -> None:
    """Reasons of a learned score are told against what is usual, and which version it is."""
    found = lines("ann", 0, [evaluation(basis="learned", model_version=7)], Style(colour=False))

    assert found[-1] == "   -3.00  where a usual customer stands (learned, version 7)"


def test_what_is_there_for_the_sum_alone_is_not_read() -> None:
    """What families do together is a line of its own, unless it would be told as nothing."""
    for contribution, times in ((0.000001, 0), (-0.2, 1)):
        combined = {"family": "combined", "contribution": contribution, "text": "together"}
        found = lines("ann", 0, [evaluation(reasons=(combined,))], Style(colour=False))
        assert sum("together" in line for line in found) == times


def test_a_score_as_data() -> None:
    """As JSON: the band last decided, the band now, what it rests on, and the parts of the log-odds."""
    found = as_data("ann", 1_700_000_000, [evaluation(), evaluation(band=BANDS[2])])

    assert found["as_of"] == datetime.fromtimestamp(1_700_000_000, UTC).isoformat()
    first, second = found["scores"]
    assert (first["band"], first["band_now"], second["band"]) == ("unscored", "low", "moderate")
    assert (first["basis"], first["model_version"]) == ("prior", 0)
    total = first["base_log_odds"] + sum(each["contribution"] for each in first["reasons"])
    assert total == pytest.approx(first["log_odds"])


def test_an_unscored_customer_is_said_to_be_that() -> None:
    """Nobody's score is not 0: it is told that there is none."""
    assert "unscored: no touchpoint" in lines("bob", 0, [], Style(colour=False))[1]


def test_the_summary_tells_what_ended_in_the_dead_letters() -> None:
    """Rows that were skipped, out of order, too late or without a time are told, and only those."""
    fine = Replayed(rows=5, sent=5, begin=1_700_000_000_000, clock=1_700_000_005_000)
    assert told(fine, 2, 2.5) == [
        "5 rows sent in 2.0 s (2/s), 2023-11-14 22:13:20 to 2023-11-14 22:13:25"
    ]

    odd = Replayed(rows=9, sent=6, skipped=3, disordered=2, too_late=1, untimed=1)
    assert told(odd, 1, 9)[1:] == [
        "3 rows skipped: the log has them already",
        "2 rows out of order, 1 of them over 90 days late, for the dead letters",
        "1 rows without a readable past time, for the dead letters",
    ]


def test_tables_stand_in_columns() -> None:
    """Cells of a column begin below one another, and lines do not end in spaces."""
    assert table(["a", "long"], [["wide", "x"], ["y", ""]]) == "a     long\nwide  x\ny"


@pytest.mark.parametrize(
    "value", [b"{}", b"not JSON", b"[1]", None, b'{"data": {"decided_at": 1}}']
)
def test_a_record_of_somebody_else_does_not_end_the_tail(value: bytes | None) -> None:
    """What no worker wrote is named with its place, and what follows is shown."""
    line = PLAIN.line("scores", Record(b"ann", value), None)
    assert (
        line == "scores, partition 2, offset 3: not a record that a worker of this release writes"
    )

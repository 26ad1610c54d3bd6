"""The API's view holds every record once, whatever is repeated, late or foreign."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.api import queries, view
from stream.api.view import KEPT_MOVES, KEPT_SCORES, Log, Read, View, mark, view_path
from stream.errors import SettingsError
from stream.partition.outputs import BAND_CHANGES, SCORES
from tests.support.world import START, iso

OUTCOMES = ["purchase", "churn"]
MOVES = Log(BAND_CHANGES, 0)
TREND = Log(SCORES, 0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[View]:
    """An empty view."""
    opened = View(tmp_path / "view.sqlite3", OUTCOMES)
    yield opened
    opened.close()


def body(customer: str, offset: int, **more: Any) -> dict[str, Any]:
    """What every output says of its decision, made at this place of the customer's partition."""
    return {
        "customer_id": customer,
        "decided_at": iso(START + offset),
        "basis": "prior",
        "model_version": 0,
        "touchpoint": {"event_id": f"e{offset}", "type": "purchase"},
        "position": {"partition": 0, "offset": offset, "cursor": 0},
    } | more


def change(customer: str, offset: int, came_from: str, came_to: str, **more: Any) -> bytes:
    """A record of band-changes."""
    data = {"outcome": "purchase", "from": came_from, "to": came_to}
    data |= {"probability": 0.5, "previous_probability": 0.25} | more
    return json.dumps({"id": f"c{offset}", "data": body(customer, offset, **data)}).encode()


def score(customer: str, offset: int, probability: float, band: str = "high") -> bytes:
    """A record of scores."""
    scores = [{"outcome": "purchase", "probability": probability, "band": band}]
    return json.dumps({"data": body(customer, offset, scores=scores)}).encode()


def reads(*values: bytes | None, start: int = 0) -> list[Read]:
    """Records with offsets in a row."""
    return [Read(start + number, value) for number, value in enumerate(values)]


def ask(opened: View) -> sqlite3.Connection:
    """A reader's connection."""
    return view.connect(opened.path)


def test_a_repeated_record_changes_nothing(made: View) -> None:
    """A band change published twice is in the history once, and in the feed once."""
    value = change("a", 5, "low", "high")
    first = made.write({MOVES: reads(value)})
    again = made.write({MOVES: reads(value, start=1)})

    assert [row.offset for row in first.moves] == [0]
    assert again.moves == []
    with ask(made) as connection:
        assert len(queries.moves(connection, "a", None, 10)) == 1
        assert len(queries.feed_after(connection, 0, 10)) == 1


def test_what_led_to_a_band_change_is_kept_with_it(made: View) -> None:
    """The log-odds before and their parts since are kept to the millionth; a first band change has none."""
    since = {"log_odds": -1.25, "events": 0.8, "silence": -0.300001, "model": 0.1}
    first = change("a", 1, "unscored", "low", since_last_change=None)
    made.write({MOVES: reads(first, change("a", 5, "low", "high", since_last_change=since))})

    with ask(made) as connection:
        second, first_kept = queries.moves(connection, "a", None, 10)
        latest = queries.arrivals(connection, "a", len(OUTCOMES))
    assert second[-4:] == (-1_250_000, 800_000, -300_001, 100_000)
    assert first_kept[-4:] == (None,) * 4
    assert latest == [second, None]


def test_a_late_write_of_a_former_owner_never_replaces_a_newer_band(made: View) -> None:
    """What was decided at an older place of the partition does not become the band of now."""
    made.write({MOVES: reads(change("a", 9, "moderate", "high"))})
    made.write({MOVES: reads(change("a", 4, "low", "moderate"), start=1)})

    with ask(made) as connection:
        (now,) = queries.placed(connection, "a")
        history = queries.moves(connection, "a", None, 10)
    assert now.band == 3
    assert [row.offset for row in history] == [9, 4], "the history has both, in the log's order"


def test_the_band_comes_from_band_changes_and_the_probability_from_whatever_is_newest(
    made: View,
) -> None:
    """Scores and band changes may be read in any order: the same customer ends up the same."""
    moved, scored, old = change("a", 3, "low", "high"), score("a", 7, 0.6), score("a", 2, 0.1)
    one = {MOVES: reads(moved), TREND: reads(old, scored)}
    made.write(one)
    made.write({TREND: reads(score("b", 7, 0.6))})
    made.write({MOVES: reads(change("b", 3, "low", "high"), start=1)})

    with ask(made) as connection:
        found = [queries.placed(connection, customer)[0] for customer in ("a", "b")]
    assert {(row.band, row.probability) for row in found} == {(3, 600_000)}


def test_a_customer_with_scores_alone_is_in_no_band(made: View) -> None:
    """Until its band change has been read, a customer is in no list and in no count."""
    made.write({TREND: reads(score("a", 7, 0.6))})

    with ask(made) as connection:
        assert queries.placed(connection, "a") == []
        assert queries.counts(connection) == {}


def test_foreign_records_are_counted_and_passed_over(made: View) -> None:
    """What is none of bandshift's in its topics stops nothing."""
    values = (b"{", None, b"[]", change("a", 1, "low", "huge"), change("a", 2, "low", "high"))
    written = made.write({MOVES: reads(*values), TREND: reads(b"x", score("a", 3, 0.5))})

    assert written.unreadable == 5
    assert [row.offset for row in written.moves] == [4]
    assert written.scored == {"a"}


def test_a_batch_is_written_with_its_positions_or_not_at_all(
    made: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in the middle of a batch leaves neither rows nor positions, and the next try brings all."""
    batch = {MOVES: reads(change("a", 1, "low", "high")), TREND: reads(score("a", 1, 0.5))}
    with monkeypatch.context() as broken:
        broken.setattr(view, "_SCORED", "INSERT INTO nowhere VALUES (?, ?, ?, ?, ?, ?)")
        with pytest.raises(sqlite3.OperationalError):
            made.write(batch)
    assert made.reached() == {}

    written = made.write(batch)

    assert [row.seq for row in written.moves] == [1]
    assert {log: reached.next for log, reached in made.reached().items()} == {MOVES: 1, TREND: 1}
    assert made.reached()[MOVES].mark == mark(batch[MOVES][0].value)


def test_the_view_is_found_again(tmp_path: Path) -> None:
    """A new process goes on where the last one was, and numbers the feed on from there."""
    path = tmp_path / "view.sqlite3"
    first = View(path, OUTCOMES)
    first.write({MOVES: reads(change("a", 1, "low", "high"))})
    first.close()

    again = View(path, OUTCOMES)
    written = again.write({MOVES: reads(change("a", 2, "high", "low"), start=1)})
    again.close()

    assert [row.seq for row in written.moves] == [2]


@pytest.mark.parametrize("spoil", ["outcomes", "no database"])
def test_a_view_of_another_make_is_made_anew(tmp_path: Path, spoil: str) -> None:
    """Other outcomes, or a file that is no database, begin an empty view instead of a wrong one."""
    path = tmp_path / "view.sqlite3"
    first = View(path, OUTCOMES)
    first.write({MOVES: reads(change("a", 1, "low", "high"))})
    first.close()
    if spoil == "no database":
        path.write_bytes(b"something else, long enough to be looked at as a database" * 100)

    again = View(path, ["purchase"] if spoil == "outcomes" else OUTCOMES)

    assert again.reached() == {}
    again.close()


def test_only_its_owner_can_read_the_file(made: View) -> None:
    """The file holds customers' ids, so no other user of the machine may look."""
    assert made.path.stat().st_mode & 0o077 == 0


def test_one_file_serves_one_process(made: View) -> None:
    """A second API on the same file is told so in a sentence."""
    with pytest.raises(SettingsError, match="in use by another bandshift api"):
        View(made.path, OUTCOMES)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A view below something that is no folder is refused with the setting's name."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"api\.view: expected a file that can be written"):
        View(tmp_path / "file" / "view.sqlite3", OUTCOMES)


def test_each_namespace_has_a_file_of_its_own() -> None:
    """The namespace is part of the file's name."""
    assert view_path(Path("var/view.sqlite3"), "") == Path("var/view.sqlite3")
    assert view_path(Path("var/view.sqlite3"), "try") == Path("var/view-try.sqlite3")


def test_old_rows_are_cut_off(made: View) -> None:
    """History and trend keep about the latest hundred per customer, never fewer."""
    number = 400
    moves = [change("a", each, "low", "high") for each in range(number)]
    scores = [score("a", each, 0.5) for each in range(number)]
    for start in range(0, number, 50):
        part = slice(start, start + 50)
        made.write(
            {MOVES: reads(*moves[part], start=start), TREND: reads(*scores[part], start=start)}
        )

    with ask(made) as connection:
        kept = queries.moves(connection, "a", None, number)
        (trend,) = connection.execute("SELECT count(*) FROM scores").fetchone()
    assert [row.offset for row in kept] == list(range(number - 1, number - 1 - len(kept), -1))
    assert KEPT_MOVES <= len(kept) < KEPT_MOVES + 100
    assert KEPT_SCORES <= trend < KEPT_SCORES + 100


def test_the_feed_is_cut_off_and_says_so(made: View, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever resumes before what is kept learns that something is missing; whoever resumes later does not."""
    monkeypatch.setattr(view, "KEPT_FEED", 20)
    for offset in range(60):
        made.write({MOVES: reads(change("a", offset, "low", "high"), start=offset)})

    with ask(made) as connection:
        first = queries.feed_after(connection, 0, 100)[0]
        too_early = queries.feed_start(connection, [first.offset - 1])
        in_time = queries.feed_start(connection, [first.offset])
        at_end = queries.feed_start(connection, [60])
    assert 20 <= 60 - first.offset <= 25
    assert too_early == (first.seq - 1, False)
    assert in_time == (first.seq - 1, True)
    assert at_end == (60, True)


def test_a_rebuilt_view_numbers_the_feed_on(made: View) -> None:
    """Readers hold numbers of the feed, so none is ever given twice while the process lives."""
    made.write({MOVES: reads(change("a", 1, "low", "high"))})
    made.rebuild()
    assert made.reached() == {}

    written = made.write({MOVES: reads(change("b", 1, "low", "high"))})

    assert [row.seq for row in written.moves] == [2]
    with ask(made) as connection:
        assert queries.placed(connection, "a") == []


def test_a_line_break_in_a_record_does_not_end_an_event(made: View) -> None:
    """The feed's bodies are single lines, whatever a record looks like."""
    value = json.dumps(json.loads(change("a", 1, "low", "high")), indent=1).encode()

    (row,) = made.write({MOVES: reads(value)}).moves

    assert b"\n" not in row.body
    assert json.loads(row.body) == json.loads(value)

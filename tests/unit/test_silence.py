"""Silence is scored at its own due times only; looking every hour would publish the same."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from schemas.bands import BANDS
from stream.features.state import UNSCORED, CustomerState
from stream.model.banding import Banding
from stream.partition.control import Kind
from stream.partition.intake import Event
from stream.partition.outputs import BAND_CHANGES, TOUCHPOINTS
from stream.settings import DEFAULT_OUTCOMES
from tests.support.shop import touches
from tests.support.world import World

HOUR = 3600
CUSTOMERS = 40
Path = list[tuple[int, str, str]]


async def test_the_band_path_is_that_of_looking_every_hour() -> None:
    """For every customer of a real log, due times and hourly looks give the same bands, an hour apart at most."""
    log = touches(30_000)
    chosen = sorted({touch.customer for touch in log[:4000]})[:CUSTOMERS]
    mine = [touch for touch in log if touch.customer in chosen]
    end = mine[-1].at + 20 * 24 * HOUR
    world = World()
    for touch in mine:
        world.send(touch.customer, touch.value, touch.at)
    world.control(Kind.TICK, end)
    await world.work()
    published: dict[str, Path] = defaultdict(list)
    for change in world.bodies(BAND_CHANGES):
        at = int(datetime.fromisoformat(change["decided_at"]).timestamp())
        published[change["customer_id"]].append((at, change["outcome"], change["to"]))
    changes = 0
    for customer in chosen:
        expected = _by_outcome(_hourly(world, customer, end))
        found = _by_outcome(published[customer])
        assert [each[1:] for each in found] == [each[1:] for each in expected], customer
        pairs = zip(found, expected, strict=True)
        assert all(0 <= late[0] - early[0] <= HOUR for early, late in pairs)
        changes += len(found)
    assert changes > 10 * CUSTOMERS


def _by_outcome(path: Path) -> Path:
    return sorted(path, key=lambda each: (each[1], each[0]))


def _hourly(world: World, customer: str, end: int) -> Path:
    """Bands from looking at every full hour, and just before and just after every event."""
    parsed = (world.pipeline.reader.parse(record, 0) for record in world.log.topics[TOUCHPOINTS, 0])
    events = [
        event for event in parsed if isinstance(event, Event) and event.customer_id == customer
    ]
    state = CustomerState(customer, world.pipeline.vectorizer.layout, len(DEFAULT_OUTCOMES))
    moments: list[tuple[int, Event | None]] = [(event.happened, event) for event in events]
    moments += [(at, None) for at in range(events[0].happened // HOUR * HOUR + HOUR, end + 1, HOUR)]
    times: list[int] = []
    snapshots: list[bytes] = []
    for at, event in sorted(moments, key=lambda moment: moment[0]):
        state.advance(at + state.shift)
        if snapshots or event is None:
            times.append(at)
            snapshots.append(state.snapshot())
        if event is not None:
            happened = event.happened + state.shift
            state.add(event.hash, event.kind, event.stage, happened, event.cents)
            times.append(at)
            snapshots.append(state.snapshot())
    vectorizer = world.pipeline.vectorizer
    scored = world.pipeline.models.get((0, 0, 0)).score(vectorizer.raw(snapshots))
    path: Path = []
    for place, outcome in enumerate(DEFAULT_OUTCOMES):
        banding, band = Banding(outcome), UNSCORED
        for at, log_odds in zip(times, scored.log_odds[:, place].tolist(), strict=True):
            after = banding.place(log_odds, band)
            if after != band:
                path.append((at, outcome.name, BANDS[after]))
                band = after
    return path

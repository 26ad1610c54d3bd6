"""A worker knows whether its partitions get on, and why where they do not."""

from __future__ import annotations

from stream.agents.watch import Standing, Watch
from stream.errors import BrokerError, NotAMemberError, StoreError
from stream.partition.ledger import Position


def stands(offset: int, lag: int = 10, *, waits: bool = False) -> dict[int, Standing]:
    """One partition, number 3."""
    return {3: Standing(Position(offset), lag, waits)}


def look_on(
    watch: Watch, standings: dict[int, Standing], begin: int, end: int
) -> tuple[int, str] | None:
    """Look every five seconds from `begin` to `end`; when and what was said first."""
    for now in range(begin, end + 1, 5):
        found = watch.look(standings, now)
        if found is not None:
            return now, found
    return None


def test_a_partition_that_stands_still_with_work_at_hand_is_stuck() -> None:
    """After the stated time, not before, a sentence names the partition, its place, its lag and what failed last."""
    watch = Watch(60)
    assert look_on(watch, stands(5), 0, 20) is None
    watch.failed(3, TimeoutError(), 20)
    assert look_on(watch, stands(5, lag=1_200), 25, 90) == (
        60,
        (
            "partition 3 has stood still at offset 5 for 60 s with 1,200 records to take in; "
            "what failed last: TimeoutError"
        ),
    )


def test_every_step_begins_the_time_anew() -> None:
    """A partition that moves, were it by part of a record, is not stuck."""
    watch = Watch(60)
    for now in range(0, 600, 10):
        assert watch.look({3: Standing(Position(5, now), 10)}, now) is None


def test_nothing_to_do_and_waiting_for_models_are_no_fault() -> None:
    """Without lag, or while it waits for models, a partition may stand still for ever."""
    watch = Watch(60)
    assert look_on(watch, stands(5, lag=0), 0, 600) is None
    assert look_on(watch, stands(5, waits=True), 605, 1_200) is None
    assert look_on(watch, stands(5), 1_205, 2_000) is not None


def test_a_look_that_comes_late_blames_nobody() -> None:
    """Where the process itself was held up, what stood still meanwhile has its time from then on."""
    watch = Watch(60)
    assert watch.look(stands(5), 0) is None
    assert watch.look(stands(5), 500) is None
    found = look_on(watch, stands(5), 505, 700)
    assert found is not None
    assert found[0] == 560


def test_servers_that_do_not_answer_are_waited_for() -> None:
    """While Redis or Kafka fail it waits and says so; what fails for another reason is held against it."""
    watch = Watch(60)
    for now in range(0, 600, 5):
        error = StoreError("Redis is away") if now % 2 else BrokerError("Kafka is away")
        watch.failed(3, error, now)
        assert watch.look(stands(5), now) is None
    assert watch.troubles == ["Redis is away"]
    assert watch.look(stands(6), 600) is None
    assert watch.troubles == []
    for now in range(605, 660, 5):
        watch.failed(3, NotAMemberError("no member"), now)
        assert watch.look(stands(6), now) is None
    assert watch.look(stands(6), 660) is not None


def test_a_quiet_partition_is_well_again_when_nothing_fails_any_more() -> None:
    """With nothing to take in, a server's failure is forgotten soon after the last one."""
    watch = Watch(60)
    assert watch.look(stands(5, lag=0), 0) is None
    watch.failed(3, StoreError("Redis is away"), 1)
    assert look_on(watch, stands(5, lag=0), 5, 10) is None
    assert watch.troubles == ["Redis is away"]
    assert look_on(watch, stands(5, lag=0), 15, 20) is None
    assert watch.troubles == []


def test_a_partition_that_went_elsewhere_is_forgotten() -> None:
    """What comes back begins anew, whatever it did before."""
    watch = Watch(60)
    assert look_on(watch, stands(5), 0, 50) is None
    assert watch.look({}, 55) is None
    assert look_on(watch, stands(5), 60, 110) is None

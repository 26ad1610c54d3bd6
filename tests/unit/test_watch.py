"""A worker knows whether its partitions get on, and why where they do not."""

from __future__ import annotations

from stream.agents.watch import Standing, Watch
from stream.errors import BrokerError, NotAMemberError, StoreError
from stream.partition.ledger import Position


def stands(offset: int, lag: int = 10, *, waits: bool = False) -> dict[int, Standing]:
    """One partition, number 3."""
    return {3: Standing(Position(offset), lag, waits)}


def test_a_partition_that_stands_still_with_work_at_hand_is_stuck() -> None:
    """After the stated time, not before, a sentence names the partition, its place, its lag and what failed last."""
    watch = Watch(60)
    assert watch.look(stands(5), 0) is None
    watch.failed(3, TimeoutError(), 20)
    assert watch.look(stands(5), 59) is None
    found = watch.look(stands(5, lag=1_200), 60)
    assert found == (
        "partition 3 has stood still at offset 5 for 60 s with 1,200 records to take in; "
        "what failed last: TimeoutError"
    )


def test_every_step_begins_the_time_anew() -> None:
    """A partition that moves, were it by part of a record, is not stuck."""
    watch = Watch(60)
    for now in range(0, 600, 50):
        assert watch.look({3: Standing(Position(5, now), 10)}, now) is None


def test_nothing_to_do_and_waiting_for_models_are_no_fault() -> None:
    """Without lag, or while it waits for models, a partition may stand still for ever."""
    watch = Watch(60)
    for now in range(0, 600, 50):
        assert watch.look(stands(5, lag=0), now) is None
        assert watch.look(stands(5, waits=True), now) is None
    assert watch.look(stands(5), 600) is None
    assert watch.look(stands(5), 700) is not None


def test_servers_that_do_not_answer_are_waited_for() -> None:
    """While Redis or Kafka fail it waits and says so; what fails for another reason is held against it."""
    watch = Watch(60)
    for now, error in enumerate([StoreError("Redis is away"), BrokerError("Kafka is away")] * 9):
        watch.failed(3, error, now * 30)
        assert watch.look(stands(5), now * 30) is None
    assert watch.troubles == ["Kafka is away"]
    assert watch.look(stands(6), 1_000) is None
    assert watch.troubles == []
    for now in (1_020, 1_040):
        watch.failed(3, NotAMemberError("no member"), now)
        assert watch.look(stands(6), now) is None
    assert watch.look(stands(6), 1_060) is not None


def test_a_partition_that_went_elsewhere_is_forgotten() -> None:
    """What comes back begins anew, whatever it did before."""
    watch = Watch(60)
    assert watch.look(stands(5), 0) is None
    assert watch.look({}, 50) is None
    assert watch.look(stands(5), 100) is None

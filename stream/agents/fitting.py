"""What must fit before a partition is taken over: the log, its states, and the decisions in force."""

from __future__ import annotations

from stream.errors import LogLostError
from stream.partition.ledger import Ledger, Position
from stream.partition.loss import lost
from stream.pipeline import Pipeline

_ANEW = "start a new namespace, or delete the old states and the group's offsets"
_OTHER_LOG = "; the topic was recreated"


def check_reach(
    partition: int, position: Position | None, ledger: Ledger, beginning: int, *, accept: bool
) -> str:
    """What the log and the states have lost between them, where that is accepted; "" where they meet.

    Raises LogLostError where it is not.
    """
    loss = lost(partition, position.offset if position else None, beginning, ledger.clock)
    if loss is None:
        return ""
    if not accept:
        raise LogLostError(loss.text, loss.hint)
    ledger.count("lost", loss.records)
    return loss.text


def check_end(partition: int, reached: int, end: int) -> None:
    """Raises LogLostError where the log ends before what was reached of it."""
    if reached > end:
        raise LogLostError(
            f"touchpoints, partition {partition}: offset {reached} was reached, but the log ends at {end}"
            f"{_OTHER_LOG}",
            _ANEW,
        )


def check_tail(partition: int, offset: int, known: str, found: str) -> None:
    """Raises LogLostError where the record at an offset is not the one that was taken in (see `tail_of`)."""
    if found != known:
        raise LogLostError(
            f"touchpoints, partition {partition}: offset {offset} holds another record than the one "
            f"that was taken in{_OTHER_LOG}",
            _ANEW,
        )


def check_states(partition: int, pipeline: Pipeline, ledger: Ledger) -> None:
    """Raises LogLostError where a pipeline cannot work on a partition's states."""
    if not pipeline.fits(ledger):
        raise LogLostError(
            f"partition {partition}: its states were made with other outcomes or types "
            "than the decisions in force have, or by another release",
            "use the outcomes and types of the running deployment (types may be added); "
            "for other ones, or after an upgrade: bandshift rebuild --namespace next",
        )


def check_partitions(ledger: Ledger, partitions: int) -> None:
    """Raises LogLostError where the topic had another number of partitions."""
    if ledger.partitions not in {0, partitions}:
        raise LogLostError(
            f"touchpoints: the states were made with {ledger.partitions} partitions, "
            f"now there are {partitions}; customers' homes have moved",
            "copy the log into a new namespace with that many partitions: "
            "bandshift rebuild --namespace next",
        )

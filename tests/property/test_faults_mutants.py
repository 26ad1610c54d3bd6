"""A protocol with a safeguard left out is found out: so the simulation looks where it must."""

from __future__ import annotations

import pytest

from tests.support.faults import owners
from tests.support.faults.hunt import caught
from tests.support.faults.mutants import MUTATIONS, READS_UNCHECKED
from tests.support.faults.run import Mutation

DEPTH = 9


@pytest.mark.parametrize(
    ("promise", "mutation"),
    [
        pytest.param(promise, mutation, id=name)
        for name, promise, mutation in MUTATIONS
        if name != READS_UNCHECKED
    ],
)
def test_a_protocol_without_a_safeguard_is_found_out(promise: str, mutation: Mutation) -> None:
    """Whichever safeguard is left out, some schedule breaks the promise that it is there for."""
    assert caught(promise, mutation)


def test_states_read_without_claim_and_position_are_found_out() -> None:
    """Of two owners' orders with one switch between them and one fall, some end in states of two owners mixed."""
    (mutation,) = [mutation for name, _, mutation in MUTATIONS if name == READS_UNCHECKED]
    assert any(
        each.of("states") for each in owners.duels(5, DEPTH, mutation, falls=True, switches=1)
    )

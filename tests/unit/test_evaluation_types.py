"""Types that nobody declared are taken as they come."""

from __future__ import annotations

import pytest

from schemas.types import DEFAULT_TYPES, MOST_TYPES, Stage, TouchpointType, TypeRegistry
from stream.errors import EvaluationError
from stream.evaluation.types import slug, take


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web_visit", "web_visit"),
        ("Loan Accepted (Online)", "loan_accepted_online"),
        ("Größe", "grosse"),
        ("1st call", "type_1st_call"),
        ("電話", "type"),
        ("x" * 60, "x" * 48),
    ],
)
def test_a_name_becomes_one_that_a_type_may_have(name: str, expected: str) -> None:
    """Whatever a type is called in a log, it has a name that the settings would allow."""
    assert slug(name) == expected
    TouchpointType(name=slug(name))


def test_unknown_types_are_their_own_family_and_outcomes_are_purchases() -> None:
    """A type nobody knows is a touchpoint before the purchase; if the outcome counts it, it is the purchase."""
    taken = take({"Offer Sent": 5, "Accepted": 2, "purchase": 1}, (), ("Accepted",))

    assert taken.names == {
        "Offer Sent": "offer_sent",
        "Accepted": "accepted",
        "purchase": "purchase",
    }
    assert taken.outcome == ("accepted",)
    found = {kind.name: (kind.stage, kind.family) for kind in taken.types}
    assert found == {
        "offer_sent": (Stage.PRE_PURCHASE, "offer sent"),
        "accepted": (Stage.PURCHASE, "purchases"),
    }


def test_names_that_would_be_the_same_stay_apart() -> None:
    """Two names of a log that differ are two types, even where only their writing differs."""
    taken = take({"A b": 3, "a-b": 2, "a_b": 1}, (), ("purchase",))

    assert len(set(taken.names.values())) == 3


def test_another_writing_of_a_known_type_is_that_type() -> None:
    """A log that writes "Purchase" means the built-in type, unless it has that one as well."""
    assert take({"Purchase": 3}, (), ("Purchase",)).outcome == ("purchase",)
    both = take({"Purchase": 3, "purchase": 1}, (), ("Purchase",))
    assert both.outcome == ("purchase_2",)


def test_the_rarest_of_too_many_types_share_one() -> None:
    """A log with more types than the features can hold keeps the most frequent ones and the outcome's own."""
    counts = {f"kind {number}": 1_000 - number for number in range(200)} | {"sale": 1}
    taken = take(counts, (), ("sale",))

    registry = TypeRegistry(taken.types)
    assert len(registry.kinds) == MOST_TYPES
    assert taken.outcome == ("sale",)
    assert taken.names["kind 0"] == "kind_0"
    assert taken.names["kind 199"] == taken.names["kind 150"] == "other"
    assert taken.shared == 201 - (MOST_TYPES - len(DEFAULT_TYPES) - 1)


def test_an_outcome_that_is_not_in_the_log_is_named() -> None:
    """A type that is neither known nor in the log is an error that says what the log has."""
    with pytest.raises(EvaluationError, match="'sold' does not") as caught:
        take({"sale": 3, "visit": 9}, (), ("sold",))

    assert caught.value.hint == "it has visit, sale"

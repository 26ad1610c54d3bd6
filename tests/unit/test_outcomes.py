"""Outcomes, bands and rules as a deployment configures them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.bands import ADVICE, BANDS, CHURN_ADVICE, Band
from schemas.outcomes import Outcome, band_number
from schemas.rules import Rule


def outcome(**more: Any) -> Outcome:
    """An outcome, as read from settings."""
    return Outcome.model_validate({"name": "purchase", "horizon_days": 7} | more)


@pytest.mark.parametrize(
    "cuts",
    [
        (0.0, 0.2, 0.4, 0.6),
        (0.1, 0.2, 0.4, 1.0),
        (0.1, 0.1, 0.4, 0.6),
        (0.4, 0.2, 0.5, 0.6),
        (-0.1, 0.2, 0.4, 0.6),
        (0.1, 0.2, 0.4, float("nan")),
    ],
)
def test_cuts_rise_between_0_and_1(cuts: tuple[float, ...]) -> None:
    """Cut points that do not rise strictly, or touch 0 or 1, are refused by name."""
    with pytest.raises(ValidationError, match="cuts: expected four rising probabilities"):
        outcome(cuts=cuts)


@pytest.mark.parametrize("cuts", [(0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)])
def test_there_are_four_cuts(cuts: tuple[float, ...]) -> None:
    """Five bands have four cut points between them, no more and no fewer."""
    with pytest.raises(ValidationError, match="cuts"):
        outcome(cuts=cuts)


def test_hysteresis_leaves_every_band_a_middle() -> None:
    """Hysteresis of half the distance between two cuts or more is refused: a band could never be left."""
    close = (0.5, 0.55, 0.6, 0.65)
    assert outcome(cuts=close, hysteresis=0.09).hysteresis == 0.09
    with pytest.raises(ValidationError, match=r"hysteresis: expected less than half .*got 0\.11"):
        outcome(cuts=close, hysteresis=0.11)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("name", "Purchase"),
        ("name", ""),
        ("horizon_days", 0),
        ("horizon_days", 366),
        ("kind", "perhaps"),
        ("types", ()),
        ("min_value", -1),
        ("min_value", float("nan")),
        ("base_rate", 0),
        ("base_rate", 1),
        ("hysteresis", -0.1),
        ("advice", {"lukewarm": "Wait."}),
        ("advice", {"high": ""}),
        ("advice", {"high": "x" * 301}),
        ("cut", (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_a_wrong_setting_is_named(field: str, found: Any) -> None:
    """A setting outside its limits, or one that does not exist, is named in the error."""
    with pytest.raises(ValidationError) as raised:
        outcome(**{field: found})
    assert raised.value.errors()[0]["loc"][0] == field


def test_every_band_has_advice_for_both_kinds() -> None:
    """Both kinds of outcome say what to do in each of the five bands, and not the same."""
    occurrence, absence = outcome(), outcome(kind="absence")
    assert set(ADVICE) == set(CHURN_ADVICE) == set(BANDS)
    for band in BANDS:
        assert occurrence.advise(band) == ADVICE[band]
        assert absence.advise(band) == CHURN_ADVICE[band]
        assert ADVICE[band] != CHURN_ADVICE[band]


def test_a_deployment_may_give_other_advice() -> None:
    """Advice set for a band replaces the usual advice for that band alone."""
    own = outcome(advice={"high": "Call today."})
    assert own.advise(Band.HIGH) == "Call today."
    assert own.advise(Band.LOW) == ADVICE[Band.LOW]


def test_bands_are_numbered_from_the_lowest() -> None:
    """Very low is 0, very high is 4."""
    assert [band_number(band) for band in BANDS] == [0, 1, 2, 3, 4]
    assert BANDS[0] is Band.VERY_LOW
    assert BANDS[4] is Band.VERY_HIGH


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("name", "Win back"),
        ("on", "touches"),
        ("band", "hot"),
        ("direction", "sideways"),
        ("cooldown_hours", -1),
        ("cooldown_hours", float("nan")),
        ("cooldown_hours", float("inf")),
        ("weight", 1),
    ],
)
def test_a_wrong_rule_is_named(field: str, found: Any) -> None:
    """A rule's setting outside its limits, or one that does not exist, is named in the error."""
    good = {"name": "win-back", "outcome": "churn", "band": "high"}
    assert Rule.model_validate(good).on == "enters"
    with pytest.raises(ValidationError) as raised:
        Rule.model_validate(good | {field: found})
    assert raised.value.errors()[0]["loc"][0] == field

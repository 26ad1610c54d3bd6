"""The project's River estimators: River's own checks by name, and what they promise beyond them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from river import base
from river.checks import yield_checks

from stream.model.learning.logistic import BayesianLogisticRegression
from stream.model.learning.platt import PlattScaling

ESTIMATORS: list[base.Classifier] = [
    BayesianLogisticRegression(),
    BayesianLogisticRegression(prior_precision=0.5, forgetting=0.99),
    PlattScaling(BayesianLogisticRegression(), prior_precision=30.0, forgetting=0.99),
]

Row = dict[Hashable, float]


def checks() -> Iterator[Any]:
    """Every check that River has for each estimator, under its name, numbered where it comes again."""
    for number, estimator in enumerate(ESTIMATORS):
        seen: Counter[str] = Counter()
        for check in yield_checks(estimator):
            seen[check.__name__] += 1
            name = f"{type(estimator).__name__}-{number}-{check.__name__}-{seen[check.__name__]}"
            yield pytest.param(estimator, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_river_check(estimator: base.Classifier, check: Callable[[base.Classifier], None]) -> None:
    """The estimator passes the check of River that the test is named after."""
    random.seed(7)  # some checks shuffle features
    check(estimator.clone())


def test_no_check_of_river_asks_to_be_left_out() -> None:
    """River's runner would leave none of its checks out for these estimators, and they are dozens each."""
    for estimator in ESTIMATORS:
        assert estimator._unit_test_skips() == set()
        assert len(list(yield_checks(estimator))) > 40


def rows(n: int, seed: int = 3) -> tuple[list[Row], list[bool]]:
    """Examples with three features, of which the third is often absent."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3))
    outcomes: list[bool] = (
        rng.random(n) < 1 / (1 + np.exp(1 - values @ [2.0, -1.0, 0.5]))
    ).tolist()
    made: list[Row] = []
    for number, (a, b, c) in enumerate(values.tolist()):
        made.append({"a": a, "b": b, "c": c} if number % 3 else {"a": a, "b": b})
    return made, outcomes


@pytest.mark.parametrize("number", range(len(ESTIMATORS)))
def test_a_frame_teaches_what_its_rows_teach(number: int) -> None:
    """Frames learned in one go give the very probabilities of their rows learned one by one."""
    one, many = (ESTIMATORS[number].clone() for _ in range(2))
    assert isinstance(many, base.MiniBatchClassifier)
    examples, outcomes = rows(90)
    for x, y in zip(examples, outcomes, strict=True):
        one.learn_one(x, y)
    for part in (slice(0, 30), slice(30, 90)):
        # Where a row lacks a feature, the frame has a missing value.
        many.learn_many(pd.DataFrame(examples[part]), pd.Series(outcomes[part]))
    frame = pd.DataFrame(examples, index=range(100, 190))
    told = many.predict_proba_many(frame)
    likelier = many.predict_many(frame)
    assert list(told.index) == list(likelier.index) == list(range(100, 190))
    for place, x in enumerate(examples):
        expected = one.predict_proba_one(x)[True]
        assert told[True].iloc[place] == pytest.approx(expected, rel=1e-9)
        assert many.predict_proba_one(x)[True] == pytest.approx(expected, rel=1e-9)
        assert likelier.iloc[place] == one.predict_one(x)


def test_the_regression_finds_the_weights() -> None:
    """From 3,000 examples the regression learns the weights they were made with, and the intercept."""
    model = BayesianLogisticRegression()
    examples, outcomes = rows(3000)
    complete = [{"c": 0.0, **x} for x in examples]
    model.learn_many(pd.DataFrame(complete[:2000]), pd.Series(outcomes[:2000]))
    model.learn_many(pd.DataFrame(complete[2000:]), pd.Series(outcomes[2000:]))
    assert model.intercept == pytest.approx(-1, abs=0.2)
    assert model.weights["a"] == pytest.approx(2, abs=0.25)
    assert model.weights["b"] == pytest.approx(-1, abs=0.2)
    logits = model.log_odds_one({"a": 1.0, "unheard of": 5.0})
    assert logits == pytest.approx(model.intercept + model.weights["a"])


def test_a_weight_counts_as_so_many_examples() -> None:
    """An example of weight 0 teaches nothing, and of two examples the heavier one wins."""
    model = BayesianLogisticRegression()
    model.learn_one({"a": 1.0}, y=True, w=0)
    assert model.predict_proba_one({"a": 1.0})[True] == 0.5
    model.learn_many(pd.DataFrame({"a": [1.0, 1.0]}), pd.Series([True, False]), w=[1.0, 3.0])
    assert model.predict_proba_one({"a": 1.0})[True] < 0.5


def test_forgetting_lets_the_regression_turn_round() -> None:
    """When the truth turns round, the regression that forgets has turned while the other has not."""
    constant, forgetful = (BayesianLogisticRegression(forgetting=kept) for kept in (1.0, 0.98))
    for model in (constant, forgetful):
        for number in range(800):
            # Three in four, and at the end one in four.
            model.learn_one({"a": 1.0}, y=(number % 4 == 0) == (number >= 600))
    assert constant.predict_proba_one({"a": 1.0})[True] > 0.5
    assert forgetful.predict_proba_one({"a": 1.0})[True] < 0.35


def test_a_feature_without_a_number_is_refused() -> None:
    """A feature that is no finite number is refused by its name, and so is an outcome that is none."""
    model, taught = BayesianLogisticRegression(), BayesianLogisticRegression()
    taught.learn_one({"visits": 1.0}, y=True)
    for value in ("many", None, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="visits: expected a finite number"):
            model.learn_one({"visits": value}, y=True)
        with pytest.raises(ValueError, match="visits: expected a finite number"):
            taught.predict_proba_one({"visits": value})
    with pytest.raises(ValueError, match="y: expected True or False"):
        model.learn_one({"visits": 1.0}, y="bought")


class Boastful(base.Classifier):
    """Says what it is told to say in the feature z, in log-odds, and keeps no outcome."""

    def __init__(self) -> None:
        self.learned = 0

    def learn_one(
        self,
        x: dict[Any, Any],  # noqa: ARG002 -- River's signature
        y: base.typing.ClfTarget,  # noqa: ARG002 -- the same
        w: float = 1.0,
    ) -> None:
        self.learned += int(w)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[Any, float]:
        true = 1 / (1 + np.exp(-x["z"])) if "z" in x else float(x["p"])
        return {True: true, False: 1 - true}


def test_platt_scaling_corrects_a_boastful_classifier() -> None:
    """Log-odds three times too large and one too high come back to what was observed."""
    rng = np.random.default_rng(11)
    model = PlattScaling(Boastful(), prior_precision=1.0)
    assert model.predict_proba_one({"z": 2.0})[True] == pytest.approx(1 / (1 + np.exp(-2)))
    for truth in rng.normal(size=4000):
        model.learn_one({"z": 3 * truth + 1}, bool(rng.random() < 1 / (1 + np.exp(-truth))), w=2)
    assert model.slope == pytest.approx(-2 / 3, abs=0.05)
    assert model.bias == pytest.approx(-1 / 3, abs=0.1)
    assert model.predict_proba_one({"z": 4.0})[True] == pytest.approx(
        1 / (1 + np.exp(-1)), abs=0.03
    )
    assert isinstance(model.classifier, Boastful)
    assert model.classifier.learned == 8000


def test_platt_scaling_learns_from_the_score_of_the_prediction() -> None:
    """Given the score of the prediction, what the classifier would say now plays no part, one by one or many."""
    now, frozen, many = (PlattScaling(Boastful(), prior_precision=1.0) for _ in range(3))
    for _ in range(50):
        now.learn_one({"z": 1.0}, y=False)
        frozen.learn_one({"z": -3.0}, y=False, score=1.0)
    many.learn_many(pd.DataFrame({"z": [-3.0] * 50}), pd.Series([False] * 50), scores=[1.0] * 50)
    assert now.bias < -0.5
    assert (now.bias, now.slope) == (frozen.bias, frozen.slope) == (many.bias, many.slope)


@pytest.mark.parametrize("sure", [0.0, 1.0])
def test_platt_scaling_survives_certainty(sure: float) -> None:
    """A classifier that is certain, and wrong, is corrected without ever leaving the numbers."""
    model = PlattScaling(Boastful(), prior_precision=1.0)
    for _ in range(200):
        model.learn_one({"p": sure}, y=not sure)
    said = model.predict_proba_one({"p": sure})[True]
    assert abs(said - sure) > 0.9


def test_platt_scaling_forgets() -> None:
    """When the classifier's error turns round, the correction that forgets has turned while the other has not."""
    constant, forgetful = (PlattScaling(Boastful(), 1.0, kept) for kept in (1.0, 0.98))
    for model in (constant, forgetful):
        for number in range(800):
            model.learn_one({"z": 0.0}, y=(number % 4 == 0) == (number >= 600))
    assert constant.bias > 0
    assert forgetful.bias < -0.5

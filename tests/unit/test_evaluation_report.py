from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.errors import EvaluationError
from stream.evaluation.compare import compare
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY
from stream.evaluation.models import TITLES
from stream.evaluation.verdict import verdict
from tests.support.evaluated import simulated

NAMES = ["bandshift", "base_rate", "prior", "recency", "rfm", "bg_nbd", "lightgbm", "river_lr"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an evaluation of a simulated log wrote."""
    out = tmp_path_factory.mktemp("evaluation") / "new" / "directory"
    compare(simulated(), out)
    return out


@pytest.fixture(scope="module")
def metrics(out: Path) -> Any:
    """Its metrics.json."""
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def test_metrics_hold_every_figure_of_every_model(metrics: Any) -> None:
    """All models stand there by name, on the same examples, each with all its figures."""
    assert list(metrics["models"]) == NAMES
    figures = {"auc", "log_loss", "brier", "ece", "lift10", "n", "positives"}
    for model in metrics["models"].values():
        assert set(model) == figures
        assert all(isinstance(value, int | float) for value in model.values())
    assert {model["n"] for model in metrics["models"].values()} == {metrics["compared"]["examples"]}
    assert metrics["reason"] is None


def test_metrics_hold_the_differences(metrics: Any) -> None:
    """Bandshift less each other, with bounds on both sides, agrees with the models' own figures."""
    assert list(metrics["differences"]) == NAMES[1:]
    for name, each in metrics["differences"].items():
        for figure, apart in each.items():
            models = metrics["models"]
            expected = models["bandshift"][figure] - models[name][figure]
            assert apart["mean"] == pytest.approx(expected, abs=1e-7)
            assert apart["low"] < apart["mean"] < apart["high"]


def test_metrics_hold_bands_and_movement(metrics: Any) -> None:
    """Each band has bounds, rate, interval and a judgement; band changes are per customer and year."""
    bands = metrics["bands"]
    assert [band["name"] for band in bands] == ["very low", "low", "moderate", "high", "very high"]
    assert [band["high"] for band in bands] == [0.1, 0.2, 0.4, 0.6, 1.0]
    assert sum(band["count"] for band in bands) == metrics["compared"]["examples"]
    for band in bands:
        low, high = band["interval"]
        assert low <= band["observed"] <= high
        assert band["inside"] == (low <= band["high"] and high >= band["low"])
    assert metrics["band_changes_per_customer_year"] == 2.0
    assert metrics["reversals_per_customer_year"] == 0.5
    assert metrics["share_in_silence"] == 0.5
    assert metrics["ece_perfect_p95"] > 0


def test_the_report_begins_with_the_verdict_and_links_what_is_there(out: Path) -> None:
    """The verdict comes before any table, every model is in the table, every link leads to a plot."""
    text = (out / "report.md").read_text(encoding="utf-8")

    assert text.index("## Verdict") < text.index("| ")
    for title in TITLES.values():
        assert f"| {title} |" in text
    links = re.findall(r"\]\((.+?)\)", text)
    assert len(links) == 4
    for link in links:
        assert (out / link).read_bytes().startswith(b"\x89PNG")


def test_the_same_log_gives_the_same_files(out: Path, tmp_path: Path) -> None:
    """A second evaluation of the same log writes the same bytes."""
    compare(simulated(), tmp_path)

    for file in ("metrics.json", "report.md", "reliability.png"):
        assert (tmp_path / file).read_bytes() == (out / file).read_bytes()


def test_progress_is_told(tmp_path: Path) -> None:
    """Every long part tells how far it has come, up to its end."""
    told: dict[str, tuple[int, int]] = {}

    def progress(done: int, total: int, what: str, /) -> None:
        told[what] = (done, total)

    compare(simulated(customers=40, weeks=12), tmp_path, progress)

    assert {"LightGBM", "BG/NBD", "intervals", "a perfect forecaster"} <= set(told)
    assert all(done == total > 0 for done, total in told.values())


def one_customer() -> Evaluated:
    """A log of a single customer."""
    return simulated(customers=1, weeks=4)


def never_converted() -> Evaluated:
    """A log in which nothing ever happens."""
    log = simulated()
    return replace(log, converted=np.zeros(len(log.converted), bool))


def long_horizon() -> Evaluated:
    """A horizon that is longer than the log."""
    log = simulated(weeks=3)
    return replace(log, horizon_days=90, known_at=log.opened_at + 91 * DAY)


def no_example() -> Evaluated:
    """A log without a single example."""
    return replace(simulated().until(0), customer_years=0.0, changes=0)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (one_customer, "known labels are positive"),
        (never_converted, "only 0 of the"),
        (long_horizon, "it takes 91 days"),
        (no_example, "no label is known"),
    ],
)
def test_a_log_too_small_gives_a_reason(make: Any, reason: str, tmp_path: Path) -> None:
    """Where nothing can be compared the figures are null and the report says why."""
    metrics = compare(make(), tmp_path)

    assert reason in metrics["reason"]
    assert metrics["models"]["lightgbm"] == {
        "auc": None,
        "log_loss": None,
        "brier": None,
        "ece": None,
        "lift10": None,
        "n": 0,
        "positives": 0,
    }
    assert metrics["differences"]["rfm"]["auc"] == {"mean": None, "low": None, "high": None}
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Nothing could be measured" in report
    assert metrics["reason"] in report
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == metrics


def test_a_log_that_always_converts_has_losses_but_no_auc(tmp_path: Path) -> None:
    """With one class only there is nothing to rank; the rest is measured and the reason given."""
    log = simulated()
    metrics = compare(replace(log, converted=np.ones(len(log.converted), bool)), tmp_path)

    model = metrics["models"]["bandshift"]
    assert model["auc"] is None
    assert model["log_loss"] > 0
    assert "are positive" in metrics["reason"]
    assert metrics["differences"]["base_rate"]["log_loss"]["low"] is not None
    assert any("LightGBM, daily could say nothing" in note for note in metrics["notes"])


def test_the_verdict_says_where_it_loses(metrics: Any) -> None:
    """A difference whose interval excludes 0 on the wrong side is named as worse."""
    worse = {"mean": 0.02, "low": 0.01, "high": 0.03}
    unclear = {"mean": 0.02, "low": -0.01, "high": 0.03}
    differences = {
        name: {"log_loss": worse if name == "lightgbm" else unclear, "auc": worse}
        for name in NAMES[1:]
    }

    lines = verdict(metrics | {"differences": differences})

    assert "worse than LightGBM, daily (+0.0200); no clear difference to base rate" in lines[0]
    assert lines[1].startswith("Ranking (AUC): better than base rate (+0.0200)")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Where the output cannot be written, the error names the directory."""
    (tmp_path / "file").write_text("")

    with pytest.raises(EvaluationError, match="file/out cannot be written"):
        compare(one_customer(), tmp_path / "file" / "out")

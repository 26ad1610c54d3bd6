"""`bandshift evaluate`, from a file to the report."""

from __future__ import annotations

import builtins
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stream import cli
from stream.evaluation.models import OTHERS, OURS
from stream.model.learning.records import Example, read_example
from tests.support.logs import BEGIN, DAY, Row, shop, write

Evaluate = Callable[..., Result]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Evaluate:
    """Calls `bandshift evaluate`, away from any settings of this machine; results go to tmp_path/out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BANDSHIFT_CONFIG", raising=False)

    def call(file: Path, types: str = "purchase", *more: str) -> Result:
        words = ["--outcome-types", types, "--horizon", "7", "--out", str(tmp_path / "out"), *more]
        return CliRunner().invoke(cli.main, ["evaluate", str(file), *words])

    return call


def metrics(tmp_path: Path) -> dict[str, Any]:
    """What was measured."""
    text = (tmp_path / "out" / "metrics.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_log_with_types_of_its_own_is_evaluated(evaluate: Evaluate, tmp_path: Path) -> None:
    """All models are measured on a log whose types nobody declared; bad rows are told of."""
    rows = shop(customers=30, days=70, kinds=("Web Visit", "Loan Accepted"))
    rows += [Row("bad", "", "Web Visit", rows[-1].at), Row("bad", "a", "", rows[-1].at)]
    file = write(tmp_path / "log.csv", rows)
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))

    records = tmp_path / "examples.jsonl"
    result = evaluate(packed, "Loan Accepted", "--min-value", "5", "--examples", str(records))

    assert result.exit_code == 0, result.output
    assert "2 rows rejected: " in result.output
    assert "Web Visit as web_visit" in result.output
    found = metrics(tmp_path)
    assert found["log"] == "log.csv.gz"
    assert found["outcome_types"] == ["loan_accepted"]
    kept = [read_example(line) for line in records.read_bytes().splitlines()]
    final = [
        label
        for record in kept
        if isinstance(record, Example)
        for label in record.labels.values()
        if label.final
    ]
    assert len(final) == found["examples"]
    assert set(found["models"]) == {OURS, *OTHERS}
    for model in found["models"].values():
        assert set(model) == {"auc", "log_loss", "brier", "ece", "lift10", "n", "positives"}
        assert model["n"] == found["compared"]["examples"] > 50
    assert set(found["differences"]) == set(OTHERS)
    for difference in found["differences"].values():
        assert set(difference) == {"log_loss", "auc"}
        assert set(difference["auc"]) == {"mean", "low", "high"}
    assert len(found["bands"]) == 5
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"metrics.json", "report.md", "reliability.png", "lift.png", "bands.png"} < names


def test_one_customer_is_enough(evaluate: Evaluate, tmp_path: Path) -> None:
    """A log of a single customer is evaluated as far as it goes, and the report says how far that is."""
    rows = [Row(f"e{day}", "only", "purchase", BEGIN + day * 9 * DAY) for day in range(6)]

    result = evaluate(write(tmp_path / "log.csv", rows))

    assert result.exit_code == 0, result.output
    assert "Nothing could be measured: only " in result.output
    assert metrics(tmp_path)["compared"]["examples"] == 0


def test_a_log_without_the_outcome_says_so(evaluate: Evaluate, tmp_path: Path) -> None:
    """Where nobody ever did what is predicted, nothing is compared, and that is said."""
    rows = [row for row in shop(customers=5, days=40) if row.type != "purchase"]

    result = evaluate(write(tmp_path / "log.csv", rows))

    assert result.exit_code == 0, result.output
    assert "only 0 of the" in metrics(tmp_path)["reason"]


def test_json_lines_and_events_in_envelopes_count_alike(evaluate: Evaluate, tmp_path: Path) -> None:
    """Types are taken as they come from CloudEvents too."""
    envelope = {"specversion": "1.0", "source": "/shop", "subject": "ann"}
    lines = [
        json.dumps(
            envelope
            | {"id": f"e{day}", "type": "Deal", "time": f"2026-01-{day:02}T10:00:00Z", "data": {}}
        )
        for day in range(1, 29)
    ]
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")

    result = evaluate(file, "Deal")

    assert result.exit_code == 0, result.output
    assert "rejected" not in result.output
    assert metrics(tmp_path)["outcome_types"] == ["deal"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected JSON lines, or CSV whose first line names the columns"),
        ("event_id,customer_id,type,occurred_at\n", "got 0 rows and none with a time"),
        (
            "event_id,customer_id,type,occurred_at\n1,a,b,2026-01-01T00:00:00Z",
            "expected types that occur in the log, 'sold' does not",
        ),
        (
            "event_id,customer_id,type,occurred_at\n1,a,b,2026-01-01T00:00:00Z\n2,a,b,2025-01-01T00:00:00Z",
            "1 of 2 rows come more than 90 days after rows of a later time",
        ),
    ],
)
def test_a_file_that_will_not_do_is_one_clear_error(
    text: str, said: str, evaluate: Evaluate, tmp_path: Path
) -> None:
    """What is wrong with a file, or with what is asked of it, is said in one line."""
    file = tmp_path / "log.csv"
    file.write_text(text, encoding="utf-8")

    result = evaluate(file, "sold")

    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_bad_cuts_are_refused(evaluate: Evaluate, tmp_path: Path) -> None:
    """Cuts that do not rise are refused by name before anything is read."""
    file = write(tmp_path / "log.csv", shop(customers=2, days=10))

    assert evaluate(file, "purchase", "--cuts", "0.1,0.2").exit_code == 2
    result = evaluate(file, "purchase", "--cuts", "0.5,0.4,0.3,0.2")

    assert result.exit_code == 1
    assert "cuts: expected four rising probabilities" in result.output


def test_a_missing_package_is_named_before_the_work(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without LightGBM the command says which extra to install, and reads nothing."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "lightgbm":
            raise ImportError("no module named lightgbm")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("stream.commands.evaluating.import_module", without)

    result = evaluate(tmp_path / "absent.csv")

    assert result.exit_code == 1
    assert "lightgbm" in result.output
    assert 'pip install "bandshift[evaluate]"' in result.output

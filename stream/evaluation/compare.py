"""The whole evaluation of one outcome over one log, written into a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream.errors import EvaluationError
from stream.evaluation.examples import Evaluated
from stream.evaluation.plots import draw
from stream.evaluation.progress import Progress, no_progress
from stream.evaluation.report import report
from stream.evaluation.result import result


def compare(evaluated: Evaluated, out: Path, progress: Progress = no_progress) -> dict[str, Any]:
    """Measure all models and write metrics.json, the plots and report.md into `out`; returns the metrics.

    Raises EvaluationError where a package is missing or the directory cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        metrics = result(evaluated, progress)
        text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
        (out / "metrics.json").write_text(text + "\n", encoding="utf-8")
        draw(metrics, out)
        (out / "report.md").write_text(report(metrics), encoding="utf-8")
    except OSError as error:
        raise EvaluationError(
            f"The directory {out} cannot be written: {error.strerror}.",
            hint="Name another one with --out.",
        ) from error
    return metrics

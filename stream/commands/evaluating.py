"""The work of `bandshift evaluate`: a file through the decision and the learner, then all models compared."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Self

from pydantic import ValidationError

from schemas.decisions import Decisions
from schemas.learning import Learning
from schemas.outcomes import Cuts, Outcome
from stream.commands.progress import Meter
from stream.commands.surveying import Survey, survey, touches
from stream.errors import EvaluationError
from stream.evaluation.collecting import Collecting
from stream.evaluation.compare import compare
from stream.evaluation.driver import Driver
from stream.evaluation.types import Taken, take
from stream.partition.outputs import EXAMPLES
from stream.partition.step import Step
from stream.settings import Settings

_PACKAGES: Final = ("lightgbm", "matplotlib")


@dataclass(frozen=True)
class Asked:
    """What the options say; None where the settings decide."""

    file: str
    out: Path
    outcome_types: tuple[str, ...]
    horizon: int
    min_value: float | None = None
    cuts: Cuts | None = None
    partitions: int | None = None
    every_days: int | None = None
    on_events: bool | None = None
    examples: Path | None = None
    """Where the records of `examples` go, one a line."""


class Evaluation(NamedTuple):
    """What came of it."""

    metrics: dict[str, Any]
    survey: Survey
    taken: Taken
    scorings: int
    rejected: dict[str, int]
    """Touchpoints that were not taken, by reason."""
    seconds: dict[str, float]
    """By phase."""


def evaluate(settings: Settings, asked: Asked) -> Evaluation:
    """Raises TouchpointFileError, EvaluationError."""
    _check(asked)
    latest, seconds = int(time.time() * 1000), dict[str, float]()
    with Meter("reading", "rows") as meter:
        found = survey(asked.file, latest, meter.show)
        seconds["reading"] = meter.seconds
    taken = take(found.types, settings.types, asked.outcome_types)
    decisions = _decisions(settings, asked, taken)
    collecting = _driven(settings, asked, decisions, found, taken, latest, seconds)
    evaluated = collecting.evaluated(
        Path(asked.file).name, (found.began or 0) / 1000, found.ended / 1000
    )
    rejected = dict(collecting.rejected)
    scorings = collecting.scorings
    del collecting  # its memory is wanted for the models
    with _Phases(seconds) as phases:
        metrics = compare(evaluated, asked.out, phases)
    return Evaluation(metrics, found, taken, scorings, rejected, seconds)


def _check(asked: Asked) -> None:
    """What would fail only after the long work."""
    for package in _PACKAGES:
        try:
            import_module(package)
        except (ImportError, OSError) as error:
            raise EvaluationError(
                f"The evaluation needs the package {package}, which cannot be loaded: {error}",
                hint='Install what it needs: pip install "bandshift[evaluate]"',
            ) from error
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"--out: expected a directory that can be written, {asked.out} cannot: {error.strerror}"
        ) from error


def _decisions(settings: Settings, asked: Asked, taken: Taken) -> Decisions:
    given: dict[str, Any] = {"min_value": asked.min_value, "cuts": asked.cuts}
    learning = settings.learning.decided or Learning()
    change = {"every_days": asked.every_days, "on_events": asked.on_events}
    try:
        return Decisions(
            types=taken.types,
            outcomes=(
                Outcome(
                    name=taken.outcome[0],
                    horizon_days=asked.horizon,
                    types=taken.outcome,
                    **{name: value for name, value in given.items() if value is not None},
                ),
            ),
            learning=Learning(
                **learning.model_dump() | {n: v for n, v in change.items() if v is not None}
            ),
        )
    except ValidationError as error:
        message = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise EvaluationError(message.removeprefix("Value error, ")) from None


def _driven(
    settings: Settings,
    asked: Asked,
    decisions: Decisions,
    found: Survey,
    taken: Taken,
    latest: int,
    seconds: dict[str, float],
) -> Collecting:
    """Run the file through the decision and the learner."""
    collecting = Collecting(decisions)
    began, span = found.began or 0, max(found.ended - (found.began or 0), 1)
    with _kept(asked.examples) as file, Meter("scoring and learning", "scorings") as meter:

        def watch(step: Step) -> None:
            collecting(step)
            if file is not None:
                file.writelines(
                    output.value + b"\n" for output in step.outputs if output.topic == EXAMPLES
                )

        driver = Driver(decisions, asked.partitions or settings.kafka.partitions, watch)
        driver.run(
            touches(asked.file, latest, began, taken.names),
            lambda at: meter.show(collecting.scorings, (at - began) / span),
        )
        seconds["scoring and learning"] = meter.seconds
    return collecting


def _kept(path: Path | None) -> AbstractContextManager[BinaryIO | None]:
    if path is None:
        return nullcontext()
    try:
        return path.open("wb")
    except OSError as error:
        raise EvaluationError(
            f"--examples: expected a file that can be written, {path} cannot: {error.strerror}"
        ) from error


class _Phases:
    """Shows one meter after the other, by what is told of."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self._what = ""
        self._meter: Meter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._meter is not None:
            self.seconds[self._what] = self._meter.seconds
            self._meter.__exit__(None, None, None)

    def __call__(self, done: int, total: int, what: str, /) -> None:
        if what != self._what:
            self.__exit__()
            self._what, self._meter = what, Meter(what, "steps").__enter__()
        if self._meter is not None:
            self._meter.show(done, done / total if total else None)

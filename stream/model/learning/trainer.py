"""The learner of one outcome: a period's labels go in, and a snapshot comes out.

Pure and deterministic: the same labels in the same periods give the same bits, whoever trains, with however
many stops in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.learning import Learning
from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.basis import Basis
from stream.model.frozen import fits
from stream.model.learning.contest import Contest
from stream.model.learning.drift import Drift
from stream.model.learning.hazards import Hazards, Rows, Serving, contenders
from stream.model.learning.lessons import Labels, losses
from stream.model.learning.moving import moved
from stream.model.learning.orders import Held, Order
from stream.model.learning.records import Labelled
from stream.model.learning.scores import Scores
from stream.model.linear import LEARNED
from stream.model.prior import prior_terms
from stream.model.snapshot import (
    Calibrator,
    Snapshot,
    StageWeights,
    UnreadableSnapshotError,
    learned,
    moment,
)
from stream.model.stages import bounds, shares

Array = NDArray[np.float64]
_DAY: Final = 86_400
WORSE: Final = 0.02
"""A candidate whose log-loss exceeds the published model's by this part, on what both have just seen, is broken."""


class Event(NamedTuple):
    """Something to tell on `model-events`."""

    kind: str
    at: int
    text: str
    details: dict[str, Any]


_WEIGHT: Final = "weight"
_COUNT: Final = "count"


class _Shadow(NamedTuple):
    """A period that the champion has learned, and the others have not."""

    champion: str
    days: float
    period: Labels | None
    losses: dict[str, float]


class Trainer:
    """Learns one outcome. `known_to` (seconds since 1970): all labels known up to then are in it."""

    def __init__(self, outcome: Outcome, vectorizer: Vectorizer, learning: Learning) -> None:
        self.outcome = outcome
        self._vectorizer = vectorizer
        self.basis = Basis(outcome, vectorizer)
        self._terms = prior_terms(outcome, vectorizer)
        self._shares = shares(outcome)
        self._bounds = bounds(outcome)
        # Overlapping examples tell of the same days again: a day counts once.
        self._weights = [
            min(1.0, learning.every_days / (end - start)) for start, end in self._bounds
        ]
        self.contenders: dict[str, Hazards] = contenders(self.basis, len(self._bounds))
        self.contest = Contest(next(iter(self.contenders)))
        self.scores = Scores(outcome)
        self.drift = Drift(vectorizer.features)
        self.known_to = 0
        self.version = 0
        self.positions: dict[str, int] = {}
        self.trained = [0] * len(self._bounds)
        self._means = np.zeros(self.basis.features)
        self._rows = 0.0
        self._published: Serving | None = None
        self._shadow: _Shadow | None = None
        self.held: Held | None = None
        """While it is, all goes on but publishing: nothing takes the held version's place."""
        self.speaks_from = 1
        """The first version of the present champion: scores of earlier ones say nothing of how it is to be read."""
        self.obeyed = 0
        """The number of the last order that was obeyed."""

    def asks_for(self, label: Labelled) -> bool:
        """Whether a label is of this outcome's horizon and stages, and its vector whole."""
        if label.horizon_days != self.outcome.horizon_days or label.stage >= len(self._bounds):
            return False
        ends = label.end_day == self._bounds[label.stage][1]
        return ends and fits(label.vector, self.basis.features)

    # -- a period ----------------------------------------------------------------------------------------

    def train(
        self, labels: Sequence[Labelled], known_to: int, orders: Sequence[Order] = ()
    ) -> tuple[list[Event], bool]:
        """Obey orders, then learn a period's labels, in (label time, id) order.

        Returns what is to be told, and whether a version is due.
        """
        self.catch_up()
        days = (known_to - self.known_to) / _DAY if self.known_to else 0.0
        champion = self.contest.champion
        self.contenders[champion].forget(days)
        self.known_to = known_to
        events, asked = self._obey(orders)
        period, losses = None, dict[str, float]()
        if labels:
            period = Labels.of(labels, self.basis, self._terms, self._shares)
            for label in period.labels:
                name = str(label.partition)
                self.positions[name] = max(self.positions.get(name, 0), label.sequence)
            losses = self._learn(period, [champion], champion)
            events += self._score(period, days)
            events += self._promote(known_to)
        self._shadow = _Shadow(champion, days, period, losses)
        if (
            self.contest.champion != champion
        ):  # it must have learned what its version is said to know
            self.catch_up()
        if self.held is not None:
            return events, asked
        # What somebody asked for by name is not held against the version before.
        refused = self._refused(None if asked else period, known_to)
        return events + refused, (asked or bool(losses)) and not refused

    def catch_up(self) -> None:
        """Let the challengers learn what the champion has: in the shadow, once its version is on the way."""
        shadow, self._shadow = self._shadow, None
        if shadow is None:
            return
        others = [name for name in self.contenders if name != shadow.champion]
        for name in others:
            self.contenders[name].forget(shadow.days)
        if shadow.period is not None and shadow.losses:
            found = shadow.losses | self._learn(shadow.period, others, None)
            weight, count = found.pop(_WEIGHT), found.pop(_COUNT)
            self.contest.take(found, weight, int(count))

    def _learn(
        self, period: Labels, names: Sequence[str], champion: str | None
    ) -> dict[str, float]:
        """Judge these contenders, the champion or all others, then let them learn.

        Returns sums of their log-losses, with how much they weigh and how many stage examples there were;
        empty without any.
        """
        sums = dict.fromkeys((*names, "prior"), 0.0)
        total, count = 0.0, 0
        for stage, weight in enumerate(self._weights):
            found = period.stage(stage, weight)
            if found is None:
                continue
            mine, rows = found
            sums["prior"] += weight * losses(rows.offset, rows.occurred)
            for name in names:
                each = self.contenders[name]
                log_odds = each.log_odds(stage, rows)
                sums[name] += weight * losses(each.calibrated(stage, log_odds), rows.occurred)
                speaks = name == champion and self.held is None  # held, another does
                self._calibrate(each, stage, mine, log_odds, rows, speaks=speaks)
                each.learn(stage, rows)
            if champion is not None:
                self.trained[stage] += len(mine)
            total, count = total + weight * len(mine), count + len(mine)
        return sums | {_WEIGHT: total, _COUNT: float(count)} if count else {}

    def _calibrate(
        self,
        contender: Hazards,
        stage: int,
        labels: Sequence[Labelled],
        log_odds: Array,
        rows: Rows,
        *,
        speaks: bool,
    ) -> None:
        """The champion's calibrators learn from what was said when the examples were opened, once it spoke."""
        if not speaks:
            contender.calibrate(stage, log_odds, rows.occurred, rows.weight)
            return
        said = np.array([label.log_odds for label in labels])
        spoke = np.array([label.version >= self.speaks_from for label in labels])
        contender.calibrate(stage, said[spoke], rows.occurred[spoke], rows.weight[spoke])

    def _score(self, period: Labels, days: float) -> list[Event]:
        final = [n for n, each in enumerate(period.labels) if each.final]
        if not final:
            return []
        x = period.x[final]
        self._rows = self._rows * 0.998**days + len(x)
        self._means += (x.mean(axis=0) - self._means) * (len(x) / self._rows)
        sign = -1.0 if self.outcome.kind == "absence" else 1.0
        occurred = np.array([period.labels[n].occurred for n in final])
        y = (~occurred if sign < 0 else occurred).astype(float)
        given = np.array([period.labels[n].probability for n in final])
        prior = 1 / (1 + np.exp(-sign * period.prior[final]))
        mean = self.scores.take(self.known_to, given, prior, y, self.contest.losses())
        alarms = self.drift.watch_inputs(self.known_to, x, days)
        if mean is not None:
            alarms += self.drift.watch_loss(self.known_to, mean, len(final))
        return [
            Event("drift", self.known_to, alarm["text"], {"feature": alarm["feature"]})
            for alarm in alarms
        ]

    def _promote(self, at: int) -> list[Event]:
        name = self.contest.better(list(self.contenders))
        return [] if name is None else [self.promote(name, at)]

    def promote(self, name: str, at: int) -> Event:
        """Make a challenger the champion."""
        was, losses = self.contest.champion, self.contest.losses()
        self.contest.promote(name)
        self.speaks_from = self.version + 1
        text = f"{name} is champion in place of {was}"
        if name in losses:
            text += f": log-loss {losses[name]:.4f} against {losses[was]:.4f} per stage example"
        return Event("promoted", at, text, {"from": was, "to": name})

    # -- orders ------------------------------------------------------------------------------------------

    def _obey(self, orders: Sequence[Order]) -> tuple[list[Event], bool]:
        """Obey what was not obeyed before; what is to be told, and whether a version is asked for."""
        events = []
        for order in orders:
            if order.number <= self.obeyed:
                continue
            self.obeyed = order.number
            if order.restore is not None:
                events.append(self._restore(order.restore))
            else:
                events.append(self._release(order.promote))
        return events, any(event.kind != "refused" for event in events)

    def _restore(self, snapshot: Snapshot) -> Event:
        """Hold an older version."""
        number, at = snapshot.version, self.known_to
        try:
            found = self._served(snapshot)
        except UnreadableSnapshotError as error:
            return Event("refused", at, f"not rolled back to version {number}: {error}", {})
        self._published = found
        self.held = Held(number, snapshot.champion, snapshot.means)
        text = f"rolled back to version {number}: no newer one is published until a promotion"
        return Event("rolled_back", at, text, {"from": str(self.version), "to": str(number)})

    def _release(self, name: str) -> Event:
        """Promote as somebody asked for; what was held is let go."""
        at, held = self.known_to, self.held
        if name not in self.contenders:
            return Event("refused", at, f"not promoted: there is no contender {name!r}", {})
        self.held = None
        self.speaks_from = self.version + 1
        if name != self.contest.champion:
            return self.promote(name, at)
        text = f"{name} stays champion"
        if held is not None:
            text += f", and its versions are published again: version {held.version} is let go"
        return Event("promoted", at, text, {"from": name, "to": name})

    def _refused(self, period: Labels | None, at: int) -> list[Event]:
        """Why what has been learned is not to be published: it is not finite, or clearly worse than before."""
        now = self.contenders[self.contest.champion].serving()
        if not all(np.isfinite(part).all() for part in now):
            return [Event("refused", at, "not published: a weight is not finite", {})]
        if self._published is not None and period is not None:
            before, after = (
                period.loss(self._published, self._weights),
                period.loss(now, self._weights),
            )
            if after > before * (1 + WORSE):
                text = f"not published: log-loss {after:.4f}, the published model's is {before:.4f}"
                return [Event("refused", at, text, {})]
        return []

    # -- snapshots ---------------------------------------------------------------------------------------

    def publish(self) -> Snapshot:
        """The next version."""
        self.version += 1
        if self.held is None:
            self._published = self.contenders[self.contest.champion].serving()
        return self.snapshot()

    def snapshot(self, *, resume: bool = False) -> Snapshot:
        """The last version as it was published; with `resume`, all that starting again needs."""
        if resume:
            self.catch_up()
        serving = self._published
        stages = () if serving is None else self._stages(serving)
        metrics = self.scores.metrics()
        if metrics:
            metrics |= {"stage_log_loss": self.contest.losses(), "drift": self.drift.told()}
        names = [feature.name for feature in self._vectorizer.features]
        champion, means = self.contest.champion, _nonzero(names, self._means)
        if self.held is not None:
            champion, means = self.held.champion, self.held.means
            metrics |= {"held": self.held.version}
        return Snapshot(
            outcome=self.outcome.name,
            horizon_days=self.outcome.horizon_days,
            version=self.version,
            basis=LEARNED,
            known_to=moment(self.known_to),
            champion=champion,
            schema=self._vectorizer.schema_hash,
            features=tuple(names),
            positions=dict(self.positions),
            examples=self.scores.examples,
            positives=self.scores.positives,
            trained=tuple(self.trained),
            means=means,
            stages=stages,
            metrics=metrics,
            resume=self._state() if resume else None,
        )

    def _stages(self, serving: Serving) -> tuple[StageWeights, ...]:
        found = []
        for (start, end), theta, prior, calibrator in zip(
            self._bounds, serving.theta, serving.prior, serving.calibrators, strict=True
        ):
            weights = {self.basis.names[n]: float(theta[n]) for n in np.flatnonzero(theta) if n}
            bias, slope = calibrator.tolist()
            found.append(
                StageWeights(
                    start, end, bool(prior), float(theta[0]), weights, Calibrator(bias, slope)
                )
            )
        return tuple(found)

    def _state(self) -> dict[str, Any]:
        return {
            "contenders": {name: each.state() for name, each in self.contenders.items()},
            "contest": self.contest.state(),
            "scores": self.scores.state(),
            "drift": self.drift.state(),
            "means": self._means.tolist(),
            "rows": self._rows,
            "held": self.held and self.held._asdict(),
            "obeyed": self.obeyed,
            "speaks_from": self.speaks_from,
            "columns": list(self.basis.names),
            "features": [feature.name for feature in self._vectorizer.features],
        }

    def resume(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot that was made with `resume`, as if never stopped.

        Touchpoint types may have been added since: what was learned is kept.
        """
        state = snapshot.resume
        if state is None:
            raise UnreadableSnapshotError("snapshot: expected one to resume from")
        if snapshot.schema != self._vectorizer.schema_hash:
            names = [feature.name for feature in self._vectorizer.features]
            state = moved(state, self.basis.names, names)
        for name, each in self.contenders.items():
            each.resume(state["contenders"][name])
        self.contest.resume(state["contest"])
        self.scores.resume(state["scores"])
        self.drift.resume(state["drift"])
        self._means, self._rows = np.array(state["means"]), state["rows"]
        self.known_to, self.version = snapshot.known_s, snapshot.version
        self.positions, self.trained = dict(snapshot.positions), list(snapshot.trained)
        self._published = self._served(snapshot) if snapshot.stages else None
        held = state.get("held")
        self.held, self.obeyed = Held(**held) if held else None, state.get("obeyed", 0)
        self.speaks_from = state.get("speaks_from", 1)

    def _served(self, snapshot: Snapshot) -> Serving:
        if snapshot.outcome != self.outcome.name:
            raise UnreadableSnapshotError(f"snapshot: it is of {snapshot.outcome!r}")
        found = learned(snapshot, self.outcome, self.basis, self._vectorizer)
        return Serving(found.theta, found.prior, found.calibrators)


def _nonzero(names: Sequence[str], values: Array) -> dict[str, float]:
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if value}

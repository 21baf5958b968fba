"""A study whose trials are known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from sweeps.plan import ForgetDraw
from sweeps.spec.space import Value, Values
from sweeps.studies.state import Asked, StudyState
from sweeps.studies.trials import DESIGN, Key, point_key


@dataclass(frozen=True)
class Point:
    """One planned trial of a study that does not sample: its Optuna parameters, hyperparameters and forget set."""

    params: Values
    hyperparameters: dict[str, Any]
    draw: ForgetDraw

    @property
    def key(self) -> Key:
        return point_key(self.params)


class DesignState(StudyState):
    """A study whose trials are known beforehand: references, an evaluation, a sensitivity grid.

    Trials of an earlier design (the winner has changed since) stay in the storage and count no more.
    """

    points: Mapping[Key, Point] | None = None

    def set_points(self, points: Sequence[Point]) -> None:
        """Fix what is to be run; equal points are run once."""
        self.points = {point.key: point for point in points}

    def record_design(self) -> None:
        """Keep the points in the storage, so that readers can tell trials of an earlier design."""
        design = [point.params for point in (self.points or {}).values()]
        if self.study.user_attrs.get(DESIGN) != design:
            self.study.set_user_attr(DESIGN, design)

    @property
    def planned(self) -> int:
        return self.plan.trials if self.points is None else len(self.points)

    @property
    def final(self) -> int:
        return len(self.final_keys.keys() & (self.points or {}).keys())

    @property
    def failed(self) -> int:
        return sum(self.final_keys.get(key) == TrialState.FAIL for key in self.points or {})

    def _counts(self, trial: FrozenTrial) -> bool:
        return point_key(trial.params) in (self.points or {})

    def missing(self) -> list[Point]:
        """Points neither finished nor running."""
        points = self.points or {}
        return [p for key, p in points.items() if key not in self.final_keys and not self.running_keys[key]]

    def status(self, key: Key) -> TrialState | None:
        """How the trial of a point ended; None while it has not."""
        return self.final_keys.get(key)

    def ask(self, point: Point) -> Asked:
        """The trial of `point`, RUNNING in the storage, and its job."""
        retry = next((retry for retry in self.retries if point_key(retry.params) == point.key), None)
        if retry is not None:
            self.retries.remove(retry)
        attrs = {} if retry is None else retry.attrs
        return self._ask(point.params, self._distributions(), point.hyperparameters, point.draw, attrs)

    def _distributions(self) -> dict[str, BaseDistribution]:
        points = list((self.points or {}).values())
        return {name: _span([p.params[name] for p in points]) for name in points[0].params}


def _span(values: Sequence[Value]) -> BaseDistribution:
    if all(isinstance(v, int) for v in values):
        return IntDistribution(int(min(values)), int(max(values)))
    return FloatDistribution(float(min(values)), float(max(values)))

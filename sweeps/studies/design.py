"""A study whose trials are known beforehand."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.spec.space import Value
from sweeps.studies.open_study import Asked, OpenStudy
from sweeps.studies.retries import FINAL, superseded_numbers
from sweeps.studies.trials import Key, Point, plain, point_key, trial_key
from sweeps.studies.winners import Winner

DESIGN = "design"


@dataclass(frozen=True)
class Design:
    """What a study keeps of its points, so that readers can tell trials of an earlier design, and whose they are.

    Attributes:
        points: what tells each trial apart.
        planned: how many trials there will be, those of rounds to come among them.
        winner: the configuration behind the points, or that came out of them; None where an older version wrote the design.
    """

    points: list[dict[str, Value]]
    planned: int
    winner: Winner | None = None

    @staticmethod
    def of(study: Study) -> Design | None:
        """The design of a study as stored; older versions kept the points alone."""
        stored = study.user_attrs.get(DESIGN)
        if isinstance(stored, list):
            return Design(stored, len(stored))
        if stored is None:
            return None
        winner = stored["winner"] and Winner(**stored["winner"])
        return Design(stored["points"], stored["planned"], winner)

    @property
    def keys(self) -> set[Key]:
        return {point_key(point) for point in self.points}

    def dump(self) -> dict[str, Any]:
        return plain(asdict(self))


def ended_trials(study: Study, pending_retries: Container[int] = ()) -> dict[Key, FrozenTrial]:
    """How the trials of a study ended for good, by what tells them apart; `pending_retries` are left out."""
    trials = study.get_trials(deepcopy=False)
    aside = superseded_numbers(trials)
    return {
        trial_key(t): t
        for t in trials
        if t.state in FINAL and t.number not in aside and t.number not in pending_retries
    }


class DesignStudy(OpenStudy):
    """A study whose trials are known beforehand: references, an evaluation, a sensitivity grid.

    Trials of an earlier design (the winner has changed since) stay in the storage and count no more.
    """

    points: Mapping[Key, Point] | None = None
    to_come: int = 0
    _final: int | None = None
    _missing: Sequence[Point] | None = None

    def set_points(self, points: Sequence[Point], to_come: int = 0) -> None:
        """Fix what is to be run, equal points once; `to_come` more trials are planned that depend on these."""
        self.points, self.to_come = {point.key: point for point in points}, to_come
        self._changed()

    def record_design(self, winner: Winner | None) -> None:
        """Keep the points in the storage, with the winner whose they are (or who came out of them)."""
        points = [dict(point.key) for point in (self.points or {}).values()]
        design = Design(points, self.planned, winner).dump()
        if self.study.user_attrs.get(DESIGN) != design:
            self.study.set_user_attr(DESIGN, design)

    @property
    def idle(self) -> bool:
        """Whether nothing of what is known so far is left to run."""
        return self.points is None or (not self.running and self.final == len(self.points))

    @property
    def planned(self) -> int:
        return self.plan.trials if self.points is None else len(self.points) + self.to_come

    @property
    def final(self) -> int:
        if self._final is None:  # asked for of every study at every trial
            self._final = len(self.final_keys.keys() & (self.points or {}).keys())
        return self._final

    @property
    def failed(self) -> int:
        return sum(self.final_keys.get(key) == TrialState.FAIL for key in self.points or {})

    def _counts(self, trial: FrozenTrial) -> bool:
        return trial_key(trial) in (self.points or {})

    def missing(self) -> Sequence[Point]:
        """Points neither finished nor running."""
        if self._missing is None:  # likewise
            points = (self.points or {}).items()
            self._missing = [p for key, p in points if key not in self.final_keys and not self.running_keys[key]]
        return self._missing

    def status(self, key: Key) -> TrialState | None:
        """How the trial of a point ended; None while it has not."""
        return self.final_keys.get(key)

    def ask(self, point: Point) -> Asked:
        """The trial of `point`, RUNNING in the storage, and its job."""
        retry = next((retry for retry in self.retries if retry.key == point.key), None)
        if retry is not None:
            self.retries.remove(retry)
        attrs = {} if retry is None else retry.attrs
        return self._ask(point, self._distributions(), attrs)

    def _changed(self) -> None:
        self._final = self._missing = None

    def _distributions(self) -> dict[str, BaseDistribution]:
        points = list((self.points or {}).values())
        return {name: _span([p.params[name] for p in points]) for name in points[0].params}


def _span(values: Sequence[Value]) -> BaseDistribution:
    if all(isinstance(v, int) for v in values):
        return IntDistribution(int(min(values)), int(max(values)))
    return FloatDistribution(float(min(values)), float(max(values)))

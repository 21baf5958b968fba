"""Which configuration wins, and at which epoch it stops: from the score curves of its trials on tuning forget sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.jobs.job import RETAIN_SAMPLES
from sweeps.objective import knee
from sweeps.plan import StudyPlan
from sweeps.spec import Spec
from sweeps.spec.scoring import objective_of
from sweeps.spec.space import Values
from unlearn.registry import find, is_own

#: Scores that differ by less are equal: the same numbers, added up in another order.
DIGITS = 9

Source = Literal["confirmation", "search", "given", "fixed"]


@dataclass(frozen=True)
class Winner:
    """A configuration and when it stops.

    Attributes:
        hyperparameters: in true units, the fixed ones too.
        stop_epoch: 1-based; None where each run has an epoch of its own: by the method's own rule, or in hindsight.
        source: what it was chosen by; `given` by the user, `fixed` where nothing is searched.
        sets: on how many forget sets that rests.
    """

    hyperparameters: dict[str, Any]
    stop_epoch: int | None = None
    source: Source = "search"
    sets: int = 1

    def dump(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Candidate:
    """A configuration with what its trials say of it.

    Attributes:
        values: what it is compared by (two with `pareto`).
        nearby: the mean score over its epoch and that one's neighbours: how little depends on stopping just then.
    """

    hyperparameters: Values
    stop_epoch: int | None
    values: tuple[float, ...]
    nearby: float


def chooses_epochs_itself(spec: Spec, method: str) -> bool:
    """Whether a method has a rule of its own for its epoch, one that needs no oracle."""
    return bool(spec.facts("methods", method).declared["epoch_rule"] == "scrub_r")


def stops(spec: Spec, method: str) -> bool:
    """Whether a method's winner has a stop epoch: not by the paper's protocol, nor where the method has its own rule."""
    return spec.protocol == "strict" and not chooses_epochs_itself(spec, method)


def last_epoch(spec: Spec, method: str, values: Mapping[str, Any]) -> int:
    """How many epochs a configuration runs; only of a method that may count them by itself is it built to be asked."""
    once = spec.facts("methods", method).declared.get("one_epoch")
    if is_own("methods", method) and once is not None and "epochs" in values:
        return 1 if once else int(values["epochs"])
    return int(find("methods", method)(**values).last_epoch)


class Ranking:
    """Compares the configurations of a scenario and method: after a search by their score, in a confirmation by their mean curve.

    Of equals, the one that depends less on the epoch comes first (the lower mean over it and its neighbours), then one drawn by
    the sweep's seed: never the one that happened to be first. With two scores an epoch is chosen by their mean, and a
    configuration by the knee of the Pareto front, then of what is left.
    """

    def __init__(self, spec: Spec, plan: StudyPlan) -> None:
        self.spec, self.plan = spec, plan
        self.stops = stops(spec, plan.method)
        self.objective = objective_of(spec)

    def searched(self, hyperparameters: Values, trial: FrozenTrial) -> Candidate:
        """What a search's trial says: its score, at the epoch where that is the least (or the one of the method's own rule).

        Of a curve on a part of the retain set that is the epoch which was least there, and was then measured on all.
        """
        curve = trial.user_attrs["curve"]
        scores = curve["score"]
        if not self.stops:
            return self._without_stop(hyperparameters, [trial])
        stop = int(trial.user_attrs["epoch"]) if RETAIN_SAMPLES in curve else least_epoch(scores)
        return Candidate(hyperparameters, stop, tuple(trial.values), near(scores, stop))

    def confirmed(self, hyperparameters: Values, trials: Sequence[FrozenTrial]) -> Candidate:
        """What trials on several forget sets say: the smoothed mean curve, at its least epoch.

        Where there is no stop epoch, each trial counts with its own value.
        """
        if not self.stops:
            return self._without_stop(hyperparameters, trials)
        curves = [smooth(mean_curve(values)) for values in zip(*map(self._curves, trials), strict=True)]
        scores = [fmean(values) for values in zip(*curves, strict=True)]
        stop = least_epoch(scores)
        raw = mean_curve([trial.user_attrs["curve"]["score"] for trial in trials])
        return Candidate(hyperparameters, stop, tuple(curve[stop - 1] for curve in curves), near(raw, stop))

    def ranked(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The best first."""
        left = sorted(candidates, key=lambda c: (tied(c.nearby), self._lot(c.hyperparameters)))
        if all(len(c.values) == 1 for c in left):
            return sorted(left, key=lambda c: tied(c.values[0]))
        ordered = []
        while left:
            ordered.append(left.pop(knee([[tied(value) for value in c.values] for c in left])))
        return ordered

    def leaders(self, search: Study) -> list[Candidate]:
        """The configurations of a search's completed trials, the best first, each once."""
        assert self.plan.space is not None
        space, found = self.plan.space, {}
        for trial in search.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if trial.params.keys() >= space.distributions.keys():
                values = space.decode(trial.params)
                found[json.dumps(values)] = self.searched(values, trial)
        return self.ranked(found.values())

    def winner(self, search: Study) -> Winner | None:
        """The best of a search alone, at the epoch that was the least on its one forget set; None where nothing is complete."""
        leaders = self.leaders(search)
        return Winner(leaders[0].hyperparameters, leaders[0].stop_epoch, "search", 1) if leaders else None

    def _without_stop(self, hyperparameters: Values, trials: Sequence[FrozenTrial]) -> Candidate:
        values = tuple(fmean(column) for column in zip(*(trial.values for trial in trials), strict=True))
        nearby = []
        for attrs in (trial.user_attrs for trial in trials):
            epoch = int(attrs.get("epoch", attrs.get("best_epoch", 0)))
            nearby.append(near(attrs["curve"]["score"], attrs["curve"]["epoch"].index(epoch) + 1))
        return Candidate(hyperparameters, None, values, fmean(nearby))

    def _curves(self, trial: FrozenTrial) -> list[Sequence[float]]:
        """A trial's curve of each score."""
        curve = trial.user_attrs["curve"]
        if len(self.objective.directions) == 1:
            return [curve["score"]]
        epochs = [dict(zip(curve, values, strict=True)) for values in zip(*curve.values(), strict=True)]
        known = ({name: value for name, value in epoch.items() if value is not None} for epoch in epochs)
        return [list(values) for values in zip(*map(self.objective.values, known), strict=True)]

    def _lot(self, hyperparameters: Values) -> str:
        text = json.dumps([self.spec.seed, self.plan.scenario, self.plan.method, sorted(hyperparameters.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of several curves, epoch by epoch, as far as all of them go."""
    return [fmean(scores) for scores in zip(*curves, strict=False)]


def smooth(curve: Sequence[float]) -> list[float]:
    """Each epoch's mean with its neighbours', weights ¼, ½, ¼, the ends repeated: it makes a few forget sets enough."""
    padded = [curve[0], *curve, curve[-1]]
    return [
        (before + 2 * here + after) / 4 for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    ]


def least_epoch(curve: Sequence[float]) -> int:
    """The 1-based epoch of the least score; of equals the one whose neighbours are lower, then the earliest."""
    return min(range(1, len(curve) + 1), key=lambda e: (tied(curve[e - 1]), tied(near(curve, e)), e))


def near(curve: Sequence[float], epoch: int) -> float:
    """The mean score over an epoch (1-based) and its neighbours."""
    return fmean(curve[max(0, epoch - 2) : epoch + 1])


def tied(score: float) -> float:
    """A score by which equals are found."""
    return round(score, DIGITS)

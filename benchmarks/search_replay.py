"""Replays whole searches on a recorded table: what would this strategy have cost, and what would its user have got?

A suggestion of the sampler is moved to the nearest configuration of the table that the search has not run (Euclidean, every
sampled axis on [0, 1]), and the sampler is told that one; no surrogate makes up a score. Runs are the table's own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import TrialState, create_trial

from benchmarks.score_table import DEV, TEST, ScoreTable

Floats = npt.NDArray[np.float64]
Sampler = Literal["random", "tpe", "gp"]
Pruner = Literal["none", "median", "hyperband"]
Stop = Literal["search", "last", "mean", "mean_all", "smooth", "smooth_all"]
#: A diverged run counts as a gap of 100 points.
DIVERGED = 100.0


@dataclass(frozen=True)
class Task:
    """One method in one scenario, as arrays over R configurations, S forget sets and E epochs.

    Attributes:
        dev, test: (R, S, E), scores on dev and on test images; lower is better.
        samples: (R,), passed by one run of all epochs; `oracle`: a search's share of one oracle.
        unit: (R, d), the configurations on [0, 1]^d.
        even: (R,), where True the configuration is one of those spread evenly; the first one is where every search starts.
    """

    name: tuple[str, str]
    dev: Floats
    test: Floats
    samples: Floats
    oracle: float
    unit: Floats
    even: npt.NDArray[np.bool_]

    @staticmethod
    def of(table: ScoreTable, scenario: str, method: str) -> Task:
        """The rows of one task of the table."""
        rows = table.of(scenario, method)
        curves = np.nan_to_num(np.stack([row.curves for row in rows]).astype(float), posinf=DIVERGED)
        return Task(
            name=(scenario, method),
            dev=curves[..., DEV],
            test=curves[..., TEST],
            samples=np.array([float(row.samples) for row in rows]),
            oracle=table.oracle_samples[scenario] / table.methods_sharing,
            unit=np.array([row.unit for row in rows]),
            even=np.array([row.origin == "sobol" for row in rows]),
        )

    @property
    def best(self) -> float:
        """The mean test score of the best fixed (configuration, epoch)."""
        return float(self.test.mean(1).min())


@dataclass(frozen=True)
class Search:
    """How configurations are searched.

    Attributes:
        rotate: on how many tuning forget sets the trials take turns.
    """

    sampler: Sampler = "tpe"
    trials: int = 50
    pruner: Pruner = "none"
    rotate: int = 1

    @property
    def startup(self) -> int:
        """As in a sweep: a third of the trials, 4 … 10."""
        return min(10, max(4, self.trials // 3), self.trials)


@dataclass(frozen=True)
class Confirmation:
    """What comes after a search.

    Attributes:
        rounds: (leaders, further forget sets) of each round; every round's sets add to those before.
        stop: the epoch at which the winner is used: that of its `search` trial, the `last`, or the least of the mean curve over
            the further sets (`mean`), the search's own added (`mean_all`), or of those curves smoothed over epochs (`smooth`,
            `smooth_all`).
        smooth_leaders: whether the search's trials are ranked by their smoothed curves.
    """

    rounds: tuple[tuple[int, int], ...] = ()
    stop: Stop = "smooth"
    smooth_leaders: bool = False

    @property
    def sets(self) -> int:
        """Further forget sets in all."""
        return sum(further for _, further in self.rounds)


@dataclass(frozen=True)
class Trial:
    """A finished trial: which configuration, on which forget set, its value (infinite if pruned) and how many epochs it ran."""

    row: int
    forget_set: int
    value: float
    epochs: int


@dataclass(frozen=True)
class Result:
    """What a strategy delivers and costs.

    Attributes:
        delivered: mean test score over unseen forget sets at the stop epoch; `hindsight`: at each set's own best epoch.
        samples: passed forward and backward by search and confirmation, the search's share of its oracles included.
    """

    delivered: float
    hindsight: float
    samples: float


def run_search(task: Task, search: Search, sets: Sequence[int], rng: np.random.Generator) -> list[Trial]:
    """The trials of one search, on the forget sets `sets` in turn."""
    trials: list[Trial] = []
    choice = _Choice(task, search, rng)
    for number in range(min(search.trials, len(task.dev))):
        row = choice.next(number)
        forget_set = sets[number % len(sets)]
        curve = task.dev[row, forget_set]
        epochs = len(curve) if choice.model is None else choice.model.run(row, curve)
        value = float(curve.min()) if epochs == len(curve) else np.inf
        trials.append(Trial(row, forget_set, value, epochs))
    return trials


class _Choice:
    """Which configuration of the table is next: the first, then evenly spread ones, then the nearest to the suggestion."""

    def __init__(self, task: Task, search: Search, rng: np.random.Generator) -> None:
        self._task, self._search, self._rng = task, search, rng
        self._unused = np.ones(len(task.dev), dtype=bool)
        plain = (search.sampler, search.pruner) == ("random", "none")
        self.model = None if plain else _Model(task, search, rng)

    def next(self, number: int) -> int:
        """The row of trial `number`; none comes twice."""
        row = 0 if number == 0 else self._drawn() if self._is_random(number) else self._suggested()
        self._unused[row] = False
        return row

    def _is_random(self, number: int) -> bool:
        return self._search.sampler == "random" or number < self._search.startup

    def _drawn(self) -> int:
        free = np.flatnonzero(self._unused & self._task.even)
        return int(self._rng.choice(free if len(free) else np.flatnonzero(self._unused)))

    def _suggested(self) -> int:
        assert self.model is not None
        free = np.flatnonzero(self._unused)
        return int(free[((self._task.unit[free] - self.model.suggest()) ** 2).sum(1).argmin()])


class _Model:
    """Optuna's sampler and pruner, shown the table's runs."""

    def __init__(self, task: Task, search: Search, rng: np.random.Generator) -> None:
        seed = int(rng.integers(2**31))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = _sampler(search, seed)
        self._study = optuna.create_study(sampler=sampler, pruner=_pruner(search, task.dev.shape[2]))
        self._unit = task.unit
        self._axes = {f"x{i}": FloatDistribution(0, 1) for i in range(task.unit.shape[1])}
        self._prunes = search.pruner != "none"

    def suggest(self) -> Floats:
        """A point of the unit cube."""
        asked = self._study.ask(self._axes)
        self._study.tell(asked, state=TrialState.FAIL)
        return np.array([asked.params[name] for name in self._axes])

    def run(self, row: int, curve: Floats) -> int:
        """Tell one run, epoch by epoch; how many epochs it may run."""
        params = dict(zip(self._axes, map(float, self._unit[row]), strict=True))
        if not self._prunes:
            self._study.add_trial(create_trial(params=params, distributions=self._axes, value=float(curve.min())))
            return len(curve)
        self._study.enqueue_trial(params)
        trial = self._study.ask(self._axes)
        for epoch, score in enumerate(curve, 1):
            trial.report(float(score), epoch)
            if epoch < len(curve) and trial.should_prune():
                self._study.tell(trial, state=TrialState.PRUNED)
                return epoch
        self._study.tell(trial, float(curve.min()))
        return len(curve)


def _sampler(search: Search, seed: int) -> BaseSampler:
    if search.sampler == "gp":
        return GPSampler(seed=seed, n_startup_trials=search.startup, deterministic_objective=False)
    return TPESampler(seed=seed, n_startup_trials=search.startup, multivariate=True, constant_liar=True)


def _pruner(search: Search, epochs: int) -> BasePruner:
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=search.startup, n_warmup_steps=1)
    return HyperbandPruner(max_resource=epochs) if search.pruner == "hyperband" else NopPruner()


def confirm(
    task: Task, trials: Sequence[Trial], confirmation: Confirmation, further: Sequence[int]
) -> tuple[int, int, float]:
    """The winning configuration, its 0-based stop epoch, and the samples that finding it took after the search.

    Args:
        further: forget sets that no trial of the search has seen, at least as many as the rounds need.
    """
    leaders = sorted((t for t in trials if np.isfinite(t.value)), key=lambda t: t.value)
    if confirmation.smooth_leaders:
        leaders = sorted(leaders, key=lambda t: smoothed(task.dev[t.row, t.forget_set]).min())
    seen: list[int] = []
    samples = task.oracle * confirmation.sets
    for count, sets in confirmation.rounds:
        fresh = further[len(seen) : len(seen) + sets]
        seen.extend(fresh)
        leaders = leaders[:count]
        samples += sets * sum(task.samples[t.row] for t in leaders)
        leaders = sorted(leaders, key=lambda t: judge(task, t, seen, confirmation.stop)[0])
    winner = leaders[0]
    return winner.row, judge(task, winner, seen, confirmation.stop)[1], float(samples)


def judge(task: Task, trial: Trial, seen: Sequence[int], stop: Stop) -> tuple[float, int]:
    """The score by which leaders are compared, and the 0-based epoch at which it is taken."""
    own = task.dev[trial.row, trial.forget_set]
    curves = task.dev[trial.row, list(seen)]
    if stop.endswith("_all") or not seen:
        curves = np.concatenate([curves, own[None]])
    mean = smoothed(curves.mean(0)) if stop.startswith("smooth") else curves.mean(0)
    epoch = {"search": int(own.argmin()), "last": len(own) - 1}.get(stop, int(mean.argmin()))
    return float(mean[epoch]), epoch


def smoothed(curve: Floats) -> Floats:
    """Each epoch averaged with its neighbours (1/4, 1/2, 1/4; the ends repeated): a dip of a single epoch is no place to stop."""
    padded = np.concatenate([curve[:1], curve, curve[-1:]])
    return padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4


def deliver(task: Task, row: int, epoch: int, unseen: Sequence[int]) -> tuple[float, float]:
    """Mean test score on the unseen forget sets: at the epoch known beforehand, and at each set's own best."""
    curves = task.test[row, list(unseen)]
    return float(curves[:, epoch].mean()), float(curves.min(1).mean())


def replay(
    task: Task, search: Search, confirmations: Sequence[Confirmation], repetitions: Iterable[int]
) -> Iterator[list[Result]]:
    """One search per repetition, each followed by every confirmation. A repetition's number decides its order of forget sets.

    A search of more trials than the table has rows sees them all, and pays as if the rest had cost as much.
    """
    epochs = task.dev.shape[2]
    for repetition in repetitions:
        rng = np.random.default_rng(repetition)
        order = [int(i) for i in rng.permutation(task.dev.shape[1])]
        own, rest = order[: search.rotate], order[search.rotate :]
        trials = run_search(task, search, own, rng)
        runs = sum(task.samples[t.row] * t.epochs / epochs for t in trials) * search.trials / len(trials)
        results = []
        for confirmation in confirmations:
            row, epoch, samples = confirm(task, trials, confirmation, rest)
            delivered, hindsight = deliver(task, row, epoch, rest[confirmation.sets :])
            results.append(Result(delivered, hindsight, float(runs + task.oracle * search.rotate + samples)))
        yield results

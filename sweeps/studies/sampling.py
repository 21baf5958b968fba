"""Samplers and pruners from the spec; they are not in the storage, so they are rebuilt from it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from optuna import pruners, samplers
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study, create_study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from sweeps.objective import ObjectiveName
from sweeps.spec import Spec
from sweeps.studies.retries import FINAL, requeued, superseded_numbers

GP_LIMIT = 250
#: What a diverged trial counts as before any trial is complete: the score of gaps of 100 points.
UNKNOWN_WORST: dict[ObjectiveName, float] = {"average_gap": 100.0, "tow": 1.0, "pareto": 100.0}


def sampler_name(spec: Spec, finished: int) -> str:
    """Which sampler serves now: `auto` is GP while fewer than 250 trials are finished and nothing is pruned, else TPE.

    (GP learns nothing from pruned trials, and its cost grows with the cube of their number.)
    """
    name = spec.search.sampler
    if name != "auto":
        return name
    return "gp" if spec.search.pruner == "none" and finished < GP_LIMIT and spec.objective.name != "pareto" else "tpe"


def make_sampler(spec: Spec, name: str, trials: int) -> BaseSampler:
    """The named sampler, seeded by the spec's seed and the number of trials, so that a resumed search does not repeat itself."""
    seed = (spec.seed * 1_000_003 + trials) % 2**32
    startup = startup_trials(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if name == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)
        if name == "tpe":
            return samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True)
        if name == "cma_es":
            return samplers.CmaEsSampler(seed=seed, n_startup_trials=startup)
        if name == "nsga2":
            return samplers.NSGAIISampler(seed=seed, population_size=min(50, max(4, spec.search.trials // 5)))
        return samplers.RandomSampler(seed=seed)


def make_pruner(spec: Spec, epochs: int) -> BasePruner:
    """The pruner of a search study whose trials have so many epochs."""
    name = spec.search.pruner
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=startup_trials(spec), n_warmup_steps=1)
    if name == "successive_halving":
        return pruners.SuccessiveHalvingPruner()
    if name == "hyperband":
        return pruners.HyperbandPruner(max_resource=epochs)
    if name == "wilcoxon":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return pruners.WilcoxonPruner(n_startup_steps=2)
    return pruners.NopPruner()


def startup_trials(spec: Spec) -> int:
    """How many points come before the model of the objective is trusted: a third of the budget, 4 … 10 by default."""
    return spec.search.startup_trials or min(10, max(4, spec.search.trials // 3), spec.search.trials)


def sobol_point(dimensions: int, seed: int, index: int) -> tuple[float, ...]:
    """The `index`-th point of a scrambled Sobol sequence in the unit cube."""
    from scipy.stats import qmc  # noqa: PLC0415  # a second, which a run spends while its workers start

    sequence = qmc.Sobol(dimensions, scramble=True, rng=seed)
    if index:
        sequence.fast_forward(index)
    (point,) = sequence.random(1)
    return tuple(float(u) for u in point)


def grid_point(sizes: Sequence[int | None], points: int, index: int) -> tuple[float, ...] | None:
    """The `index`-th point of a regular grid of at least `points` points in the unit cube, ends included.

    Every axis has as many levels as all others, or one more, but never more than its size (None: endless); the points come in
    an order that spreads a beginning evenly. None beyond the last point, where the axes have too few values for `points`.
    """
    levels = [1] * len(sizes)
    while math.prod(levels) < points:
        growing = [i for i, size in enumerate(sizes) if size is None or levels[i] < size]
        if not growing:
            break
        levels[min(growing, key=levels.__getitem__)] += 1
    total = math.prod(levels)
    if index >= total:
        return None
    stride = next(s for s in range(max(1, round(total * 0.618)), total + 1) if math.gcd(s, total) == 1)
    rest = index * stride % total
    point = []
    for level in levels:
        rest, i = divmod(rest, level)
        point.append(0.5 if level == 1 else min(i / (level - 1), 1 - 1e-12))
    return tuple(point)


class SamplerView:
    """A sampler with its own copy of a search, in memory: the truth, but diverged trials count as the worst completed one.

    Samplers pass over failed trials, and so come back to a region that fails; the storage, though, must hold no made-up score.

    Args:
        unknown_worst: each score of a diverged trial while none is complete.
    """

    def __init__(self, sampler: BaseSampler, truth: Study, unknown_worst: float) -> None:
        self.study = create_study(directions=truth.directions, sampler=sampler, pruner=truth.pruner)
        self.unknown_worst = unknown_worst
        self._asked: dict[int, Trial] = {}
        trials = truth.get_trials(deepcopy=False)
        aside = superseded_numbers(trials)
        ended = [t for t in trials if t.state in FINAL and t.number not in aside]
        for trial in sorted(ended, key=lambda t: t.state == TrialState.FAIL):  # which count as the worst of the others
            self._add(trial)

    def ask(self, distributions: dict[str, BaseDistribution]) -> Trial:
        """The sampler's suggestion; `assign` names the real trial that takes it."""
        return self.study.ask(distributions)

    def assign(self, number: int, suggestion: Trial) -> None:
        """The real trial `number` runs at `suggestion`."""
        self._asked[number] = suggestion

    def discard(self, suggestion: Trial) -> None:
        """Nobody runs this suggestion."""
        self.study.tell(suggestion, state=TrialState.FAIL)

    def tell(self, trial: FrozenTrial) -> None:
        """A real trial is finished; a retry of it is known by its own number."""
        suggestion = self._asked.pop(trial.number, None)
        if suggestion is None:
            if not requeued(trial):
                self._add(trial)
        elif requeued(trial):
            self.discard(suggestion)
        else:
            seen = self._as_seen(trial)
            for step, value in trial.intermediate_values.items():
                suggestion.report(value, step)
            self.study.tell(suggestion, seen.values if seen.state == TrialState.COMPLETE else None, state=seen.state)

    def _add(self, trial: FrozenTrial) -> None:
        if trial.params:
            self.study.add_trial(self._as_seen(trial))

    def _as_seen(self, trial: FrozenTrial) -> FrozenTrial:
        if trial.state != TrialState.FAIL:
            return trial
        completed = [t.values for t in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
        worst = [max(values) for values in zip(*completed, strict=True)]
        return create_trial(
            state=TrialState.COMPLETE,
            params=trial.params,
            distributions=trial.distributions,
            values=worst or [self.unknown_worst] * len(self.study.directions),
        )

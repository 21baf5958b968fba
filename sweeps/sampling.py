"""Samplers and pruners from the spec; they are not in the storage, so they are rebuilt from it."""

from __future__ import annotations

import warnings

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from scipy.stats import qmc

from sweeps.spec import Spec

GP_LIMIT = 250


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
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)
        if name == "tpe":
            return optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True
            )
        if name == "cma_es":
            return optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=startup)
        if name == "qmc":
            return optuna.samplers.QMCSampler(seed=spec.seed, scramble=True)
        return optuna.samplers.RandomSampler(seed=seed)


def make_pruner(spec: Spec) -> BasePruner:
    """The pruner of every search study."""
    name = spec.search.pruner
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=startup_trials(spec), n_warmup_steps=1)
    if name == "successive_halving":
        return optuna.pruners.SuccessiveHalvingPruner()
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=spec.unlearning.epochs)
    return optuna.pruners.NopPruner()


def startup_trials(spec: Spec) -> int:
    """How many points come before the model of the objective is trusted: a third of the budget, 4 … 10 by default."""
    return spec.search.startup_trials or min(10, max(4, spec.search.trials // 3), spec.search.trials)


def sobol_point(dimensions: int, seed: int, index: int) -> tuple[float, ...]:
    """The `index`-th point of a scrambled Sobol sequence in the unit cube."""
    sequence = qmc.Sobol(dimensions, scramble=True, rng=seed)
    if index:
        sequence.fast_forward(index)
    (point,) = sequence.random(1)
    return tuple(float(u) for u in point)

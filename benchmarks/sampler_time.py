"""Time per suggestion, ours beside plain Optuna's, in one interleaved run: `uv run python benchmarks/sampler_time.py [TRIALS]`.

Both ask and tell the same search space on an SQLite file; the objective is free. Ours also keeps the sampler's own view of the
search and looks for points that were run before.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from sweeps.plan import make_plan
from sweeps.spec import Spec, parse_spec
from sweeps.storage import open_storage
from sweeps.studies.sampling import make_sampler
from sweeps.studies.search import SearchStudy

SAMPLERS = ("tpe", "gp", "cma_es", "random")


def spec_of(trials: int, sampler: str) -> Spec:
    return parse_spec(
        {
            "name": "sampler",
            "dataset": "digits",
            "model": "small_resnet",
            "scenarios": {"random": {"tune_size": 10, "sizes": [10]}},
            "methods": {"sure": {}},
            "search": {"trials": trials, "sampler": sampler},
        }
    )


def objective(params: Mapping[str, Any]) -> float:
    return sum(abs(float(value) - 0.5) for value in params.values() if isinstance(value, float))


def ours(spec: Spec, url: str) -> Iterator[float]:
    """Seconds of each `ask`."""
    (plan,) = (study for study in make_plan(spec, ["search"]).studies if study.stage == "search")
    search = SearchStudy(plan, spec, open_storage(url))
    for _ in range(spec.search.trials):
        started = time.perf_counter()
        trial, _ = search.ask()
        yield time.perf_counter() - started
        trial.set_user_attr("hyperparameters", trial.params)
        search.tell(trial, TrialState.COMPLETE, [objective(trial.params)])


def plain(spec: Spec, url: str) -> Iterator[float]:
    """Seconds of each `ask` of a plain study with the same sampler."""
    study = optuna.create_study(storage=open_storage(url), sampler=make_sampler(spec, spec.search.sampler, 0))
    distributions = spec.space("sure").distributions
    for _ in range(spec.search.trials):
        started = time.perf_counter()
        trial = study.ask(distributions)
        yield time.perf_counter() - started
        trial.set_user_attr("hyperparameters", trial.params)
        study.tell(trial, objective(trial.params))


def main(trials: int) -> None:
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"{'sampler':<8} {'trials':>10} {'plain Optuna':>14} {'ours':>10} {'ratio':>6}   (median ms per suggestion)")
    for sampler in SAMPLERS:
        spec = spec_of(trials, sampler)
        with tempfile.TemporaryDirectory() as folder:
            makers: list[Callable[[Spec, str], Iterator[float]]] = [plain, ours]
            runs = [make(spec, f"sqlite:///{Path(folder) / make.__name__}.db") for make in makers]
            pairs = list(zip(*runs, strict=True))  # one of each in turn
        step = max(1, trials // 4)
        for start in range(0, trials - step + 1, step):
            a, b = (1000 * statistics.median(side) for side in zip(*pairs[start : start + step], strict=True))
            print(f"{sampler:<8} {start:>4} … {start + step:>3} {a:>14.1f} {b:>10.1f} {b / a:>6.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)

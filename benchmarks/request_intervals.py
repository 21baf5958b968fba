"""How often the prediction interval of a request holds: hidden oracles over many requests on digits.

Each request is a forget set of its own with an oracle of its own, which a user would not have trained. Of all requests, some
stand in for a sweep's evaluation; the interval that they give (`sweeps.requests.expectation`) is held against the average gap of
every other one. Printed is the share inside, over many such choices.

    python -m benchmarks.request_intervals --requests 24 --proxies 5
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sweeps.objective import Objective
from sweeps.requests.expectation import LEVEL, prediction_interval
from unlearn.methods import Method
from unlearn.methods.finetune import FineTune
from unlearn.methods.neg_grad_plus import NegGradPlus
from unlearn.run import run_unlearning
from unlearn.scenarios import Scenario
from unlearn.scenarios.confusion import Confusion
from unlearn.scenarios.partial_class import PartialClass
from unlearn.training import Recipe
from unlearn.workspace import Setting, Task, Workspace

SETTING = Setting(model_options={"width": 6}, recipe=Recipe(epochs=15, lr=0.1, batch_size=64, milestones=(12,)))
SCENARIOS: dict[str, tuple[Scenario, int | None]] = {
    "partial_class": (PartialClass(target_class=5), 40),
    "confusion": (Confusion(classes=(0, 1), fraction=0.2), None),
}
METHODS: dict[str, Method] = {
    "finetune": FineTune(epochs=4, lr=0.05, retain_batch_size=64),
    "neg_grad_plus": NegGradPlus(epochs=4, lr=0.01, alpha=0.95, retain_batch_size=64),
}
CHOICES = 2000


def average_gaps(workspace: Workspace, scenario: Scenario, size: int | None, requests: int) -> dict[str, list[float]]:
    """Of each method the average gap on so many requests, at its last epoch."""
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    objective = Objective()
    for seed in range(requests):
        size = size or scenario.limit(workspace.train_labels)
        task = Task(scenario=scenario, forget_size=size, forget_seed=seed)
        for name, method in METHODS.items():
            *_, last = run_unlearning(workspace, task, method, seed=10_000 + seed)
            found[name].append(objective.score(last.metrics))
    return found


def coverage(gaps: npt.NDArray[np.float64], proxies: int, rng: np.random.Generator, choices: int = CHOICES) -> float:
    """The share of other requests whose gap lies in the interval that `proxies` of them give."""
    inside, others = 0, 0
    for _ in range(choices):
        order = rng.permutation(len(gaps))
        interval = prediction_interval(gaps[order[:proxies]].tolist())
        rest = gaps[order[proxies:]]
        inside += sum(map(interval.holds, rest.tolist()))
        others += len(rest)
    return inside / others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--proxies", type=int, nargs="*", default=[3, 5, 10])
    parser.add_argument("--cache", type=Path, help="folder that keeps the trained models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(SETTING, options.cache or Path(temporary), torch.device("cpu"))
        print(f"level {LEVEL:.0%}, {options.requests} requests on digits; average gap in percentage points")
        for label, (scenario, size) in SCENARIOS.items():
            for method, values in average_gaps(workspace, scenario, size, options.requests).items():
                gaps = np.array(values)
                shares = [f"{n}: {coverage(gaps, n, np.random.default_rng(0)):.1%}" for n in options.proxies]
                print(
                    f"{label:14} {method:14} {gaps.mean():6.2f} ± {gaps.std(ddof=1):.2f}   inside, by proxies {', '.join(shares)}"
                )


if __name__ == "__main__":
    main()

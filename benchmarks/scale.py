"""What a large sweep costs on 1, 8 and 64 workers, and what the driver has to do with it: trials on a virtual clock.

    uv run python -m benchmarks.scale [TRIALS] [SECONDS] [WORKERS,…]

17 methods × 5 scenarios with TRIALS trials a search (50), each of SECONDS (20). The studies, what is asked and told, and the
SQLite storage are the driver's own, and take real time (its processor's), during which the virtual clock of the workers goes on;
of Ray Tune itself, a constant stands for each trial. Workers answer at once, on the virtual clock after SECONDS.
"""

from __future__ import annotations

import heapq
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.trivial_sweep import answer
from sweeps.plan import Plan, make_plan
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Assignment, Multiplexer
from unlearn.registry import keys

SCENARIOS = ("random", "random_100", "random_500", "full_class", "partial_class")
#: Ray Tune's own time per trial in the driver, in seconds: an estimate, from a profile of `driver_overhead.py`.
RAY_SECONDS = 0.010
#: Training an original or an oracle takes as long as so many trials.
REFERENCE = 8.0


class Outcome(NamedTuple):
    """A simulated run.

    Attributes:
        seconds: of the virtual clock, from the first trial's start to the last one's end.
        busy: share of the workers' time that went into trials.
        driver: seconds that the driver was at work, per trial.
        bytes: of the storage, per trial.
    """

    trials: Counter[str]
    seconds: float
    busy: float
    driver: float
    bytes: float


def plan_of(trials: int) -> Plan:
    sizes = {"random": 200, "random_100": 100, "random_500": 500, "full_class": None, "partial_class": 100}
    bodies = {
        label: {
            **({"scenario": "random"} if label.startswith("random_") else {}),
            **({} if size is None else {"tune_size": size, "sizes": [size]}),
        }
        for label, size in sizes.items()
    }
    spec = {
        "name": "scale",
        "dataset": "cifar10",
        "model": "resnet18",
        "scenarios": bodies,
        "methods": [key for key in keys("methods") if key != "original"],
        "search": {"trials": trials, "sampler": "random"},
        "evaluation": {"seeds": 5},
        "sensitivity": {"enabled": False},
    }
    return make_plan(parse_spec(spec))


def simulate(plan: Plan, workers: int, seconds: float) -> Outcome:
    """The plan on so many workers: whatever the driver does keeps all of them waiting that wait for a trial."""
    epochs, order = plan.spec.unlearning.epochs, count()
    now = work = spent = 0.0
    ended: Counter[str] = Counter()
    running: list[tuple[float, int, Assignment]] = []
    with tempfile.TemporaryDirectory() as folder:
        studies = Multiplexer(plan, open_storage(f"sqlite:///{folder}/study.db"))
        while True:
            started = time.process_time()
            assignment = studies.next() if len(running) < workers else None
            if assignment is None and not running:
                break
            if assignment is None:
                now = max(now, running[0][0])
                _, _, done = heapq.heappop(running)
                studies.finish(done, answer(done.job, epochs))
                ended[done.open_study.plan.stage] += 1
            took = time.process_time() - started + (RAY_SECONDS if assignment else 0.0)
            now, spent = now + took, spent + took
            if assignment is not None:
                length = seconds * (1.0 if assignment.job.kind == "unlearning" else REFERENCE)
                work += length
                heapq.heappush(running, (now + length, next(order), assignment))
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    total = ended.total()
    return Outcome(ended, now, work / (workers * now), spent / total, size / total)


def main() -> None:
    trials, seconds, workers = (*sys.argv[1:], *("50", "20", "1,8,64")[len(sys.argv) - 1 :])
    plan = plan_of(int(trials))
    print(f"{len(plan.spec.methods)} methods, {len(plan.spec.scenarios)} scenarios, {len(plan.studies)} studies")
    for number in map(int, workers.split(",")):
        found = simulate(plan, number, float(seconds))
        parts = ", ".join(f"{count} {stage}" for stage, count in sorted(found.trials.items()))
        print(
            f"{number:>4} workers: {found.seconds / 3600:8.2f} h, workers busy {100 * found.busy:5.1f} %, "
            f"driver {1000 * found.driver:.1f} ms a trial, storage {found.bytes / 1024:.1f} KiB a trial ({parts})"
        )


if __name__ == "__main__":
    main()

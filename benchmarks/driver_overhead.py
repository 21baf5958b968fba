"""What the driver itself costs: trivial trials over 20 studies, through the real Ray, searcher, scheduler and storage.

    uv run python benchmarks/driver_overhead.py [TRIALS] [SAMPLER] [profile]

Prints milliseconds per trial in blocks of a tenth, how many of them the driver computes, and its memory at the end of each; with
`profile`, where they go (and they double).
Random sampling by default: the samplers' own time is another matter.
"""

from __future__ import annotations

import cProfile
import gc
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sweeps.jobs.cache import Cache
from sweeps.ray_tune.driver import run_studies
from sweeps.ray_tune.internals import RAY_ENVIRONMENT

os.environ.update(RAY_ENVIRONMENT)

from optuna.trial import TrialState
from ray.tune.experiment import Trial as RayTrial

from sweeps.jobs.job import Job, Update
from sweeps.plan import Plan, make_plan
from sweeps.ray_tune.trainable import JOB, UnlearningTrainable
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Assignment, Multiplexer

STUDIES = 20


class Trivial(UnlearningTrainable):
    """Answers every job at once, with 20 epochs and as many metrics as a real trial has."""

    def setup(self, config: dict[str, Any]) -> None:
        self._reports = self._start(config)  # without torch, which takes a real worker seconds to import

    def _start(self, config: dict[str, Any]) -> Iterator[Update]:
        yield trivial_answer(Job.load(config[JOB]))


def trivial_answer(job: Job) -> Update:
    """20 epochs with as many metrics and facts as a real trial has."""
    score = abs(job.hyperparameters.get("lr", 1.0) - 0.01)
    epochs = [
        {"epoch": e, "score": score + 0.1 / e, **{f"metric_{i}": float(e) for i in range(12)}} for e in range(1, 21)
    ]
    best = {f"metric_{i}": 20.0 for i in range(12)}
    facts = {"host": "here", "pid": 1, "device": "cpu", "seconds": 0.0, "samples": 100, "forward_samples": 100}
    facts |= {"forget_size": 10, "cost_of": "run"}
    return Update("complete", epochs=epochs, values=[score], epoch=20, metrics=best, facts=facts)


def plan_of(trials: int, sampler: str, studies: int = STUDIES) -> Plan:
    spec = parse_spec(
        {
            "name": "overhead",
            "dataset": "digits",
            "model": "small_resnet",
            "scenarios": {f"s{i}": {"scenario": "random", "tune_size": 10, "sizes": [10]} for i in range(studies)},
            "methods": {"sure": {}},
            "search": {"trials": trials // studies, "sampler": sampler},
        }
    )
    return make_plan(spec, ["search"])


def resident() -> float:
    """MiB that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    sampler = sys.argv[2] if len(sys.argv) > 2 else "random"
    with tempfile.TemporaryDirectory() as folder:
        studies = Multiplexer(plan_of(trials, sampler), open_storage(f"sqlite:///{folder}/study.db"))
        cache = Cache(Path(folder))
        cache.prepare()
        times: list[float] = []
        busy: list[float] = []
        memory: list[float] = []
        held: list[int] = []

        def note(assignment: Assignment, state: TrialState) -> None:
            times.append(time.perf_counter())
            busy.append(time.process_time())
            memory.append(resident())
            if len(times) == trials:  # a few before the last
                gc.collect()
                held.append(sum(type(thing) is RayTrial for thing in gc.get_objects()))

        studies.listeners.append(note)
        profile = cProfile.Profile() if "profile" in sys.argv else None
        started = time.perf_counter()
        with profile or nullcontext():
            run_studies(studies, cache, trainable=Trivial)
        total = time.perf_counter() - started
    print(f"{len(times)} trials in {total:.1f} s, of which {times[0] - started:.1f} s until the first was done")
    tenth = max(1, len(times) // 10)
    for i in range(0, len(times) - tenth, tenth):
        each, own = (1000 * (clock[i + tenth] - clock[i]) / tenth for clock in (times, busy))
        print(
            f"  trials {i:>5} … {i + tenth:>5}: {each:6.1f} ms each, {own:6.1f} of the driver's processor; "
            f"then {memory[i + tenth]:.0f} MiB in memory"
        )
    print(f"trials that Ray Tune holds: {held[0]} in the end")
    if profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(
            r"sweeps/|tune_controller.py|actor_manager.py.*\(next", 30
        )


if __name__ == "__main__":
    main()

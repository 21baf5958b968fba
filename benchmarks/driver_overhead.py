"""What the driver itself costs: trivial trials over many studies, through the real Ray, searcher, scheduler and storage.

    uv run python benchmarks/driver_overhead.py [TRIALS] [SAMPLER] [STUDIES] [profile] [dashboard]

Prints milliseconds per trial in blocks of a tenth, how many of them the driver computes, and its memory at the end of each; with
`profile`, where they go (and they double); with `dashboard`, while optuna-dashboard is open on the storage: its server, and a
client that asks for the list of studies and for one of them as its page does. Random sampling and 20 studies by default: the
samplers' own time is another matter.
"""

from __future__ import annotations

import cProfile
import gc
import os
import pstats
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
#: Seconds after which an open page of optuna-dashboard asks again.
ASKS_AGAIN = 10
WORDS = {"profile", "dashboard"}


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
    given = [word for word in sys.argv[1:] if word not in WORDS]
    trials, sampler, count = (*given, *("1000", "random", str(STUDIES))[len(given) :])
    main_of(int(trials), sampler, int(count), profiled="profile" in sys.argv, watched="dashboard" in sys.argv)


@contextmanager
def dashboard(url: str) -> Iterator[None]:
    """optuna-dashboard's server on a storage, and a client that asks as an open page does, in processes of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = [sys.executable, "-c", f"import optuna_dashboard as d; d.run_server({url!r}, '127.0.0.1', {port})"]
    asks = (
        f"import json, time, urllib.request as r\nroot, seen = 'http://127.0.0.1:{port}/api/studies', 0\nwhile True:\n"
        "    try:\n        first = json.load(r.urlopen(root))['study_summaries'][0]['study_id']\n"
        "        seen += len(json.load(r.urlopen(f'{root}/{first}?after={seen}'))['trials'])\n"
        f"        time.sleep({ASKS_AGAIN})\n    except OSError: time.sleep(1)"
    )
    opened = [subprocess.Popen(c, stdout=subprocess.DEVNULL) for c in (server, [sys.executable, "-c", asks])]
    try:
        yield
    finally:
        lives = [process.poll() is None for process in opened]
        for process in opened:
            process.terminate()
            process.wait()
        assert all(lives), "the dashboard or its client has ended by itself"


def main_of(trials: int, sampler: str, count: int, *, profiled: bool, watched: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/study.db"
        studies = Multiplexer(plan_of(trials, sampler, count), open_storage(url))
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
        profile = cProfile.Profile() if profiled else None
        started = time.perf_counter()
        with dashboard(url) if watched else nullcontext(), profile or nullcontext():
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

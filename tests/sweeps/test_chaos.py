"""A sweep killed again and again at random moments ends as an undisturbed one.

`UNLEARN_SWEEPS_CHAOS_KILLS=2`, as `.ci/run` sets, kills Ray's own process and a worker (`test_run` kills the whole tree,
`test_postgres` the driver alone), 20 all of them in turn; `UNLEARN_SWEEPS_CHAOS_SEED` is for other moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from sweeps.folder import SweepFolder
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.record import SweepRecord, load_sweep
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, open_studies, serve
from tests.sweeps.processes import alive, descendants, kill_tree, raylet, start, wait_until, workers
from tests.sweeps.test_run import finished

pytestmark = pytest.mark.ray

KILLS = int(os.environ.get("UNLEARN_SWEEPS_CHAOS_KILLS", "0"))
SEED = int(os.environ.get("UNLEARN_SWEEPS_CHAOS_SEED", "0"))
#: What is killed, in turn.
KINDS = ("raylet", "worker", "tree", "driver")
#: Whatever a trial is told apart by, and all that it found.
FOUND = ["study", "state", "value", "epoch", "forget_size", "forget_seed", "fail_reason"]


def record(folder: Path) -> SweepRecord:
    return load_sweep(open_storage(f"sqlite:///{folder / 'runs/tiny/study.db'}"), "tiny")


def found(sweep: SweepRecord) -> list[dict[str, Any]]:
    clocks = ("metric.relative_run_time", "hindsight.relative_run_time")
    columns = [
        *FOUND,
        *(c for c in sweep.counted if c.startswith(("hp.", "metric.", "hindsight.")) and c not in clocks),
    ]
    rows = sweep.counted[sorted(columns)].astype(object)
    return sorted(rows.where(pd.notna(rows), None).to_dict("records"), key=str)


def undisturbed(data: dict[str, Any], folder: Path, cache: Path) -> SweepRecord:
    """The same sweep without Ray, one trial after another in this process."""
    spec = parse_spec(data)
    storage = open_storage(f"sqlite:///{folder / 'calm.db'}")
    Sweep(spec, SweepFolder(folder), "").freeze(storage)
    assert len(serve(open_studies(spec, storage), Worker(spec, Cache(cache)))) == sum(make_plan(spec).trials.values())
    return load_sweep(storage, spec.name)


def is_time(folder: Path, goal: int, moment: float, process: subprocess.Popen[str]) -> bool:
    """Whether it is past a moment, as many trials have ended as may before a kill, or nothing is left to kill."""
    return time.monotonic() > moment or finished(folder) >= goal or process.poll() is not None


def has_workers(process: subprocess.Popen[str]) -> bool:
    """Whether Ray has workers, or nothing is left to kill."""
    return bool(workers(process)) or process.poll() is not None


@pytest.mark.skipif(
    not KILLS, reason="kills processes for a minute: UNLEARN_SWEEPS_CHAOS_KILLS=2 runs it, as .ci/run does"
)
def test_random_kills_change_nothing(tmp_path: Path, cache: Path) -> None:
    trials = 4 + 10 * KILLS  # a kill waits until up to four more have ended, and more may while it is looked for whom
    spec = {
        **TINY,
        "methods": {"sure": {}},
        "unlearning": {"epochs": 6},
        "search": {
            "confirm": "none",
            "trials": trials,
            "sampler": "random",
            "startup_trials": trials,
            "max_retries": 2 * KILLS,
        },
        "evaluation": {"seeds": 1 + KILLS // 3},
    }
    before = undisturbed(spec, tmp_path, cache)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    own_cache = tmp_path / "cache"  # so that references are being trained when a kill comes

    rng = random.Random(SEED)
    process = start(["run", "tiny.yaml", "-q"], tmp_path, own_cache)
    seen, kills = set[int](), list[str]()
    while len(kills) < KILLS:
        kind, seconds = KINDS[len(kills) % len(KINDS)], 12
        if kind in {"raylet", "worker"}:
            wait_until(partial(has_workers, process))
            seconds = 3
        moment, goal = time.monotonic() + rng.random() * seconds, finished(tmp_path) + rng.randint(1, 4)
        wait_until(partial(is_time, tmp_path, goal, moment, process))
        below = workers(process)
        if process.poll() is not None:
            break
        seen.update(descendants(process.pid))
        kills.append(kind)
        if kind == "worker" and below:
            os.kill(rng.choice(below), signal.SIGKILL)
        else:
            if kind == "raylet" and below:
                os.kill(*raylet(process), signal.SIGKILL)
                _, err = process.communicate(timeout=900)
                if process.returncode:  # else the last trial was done before the driver looked
                    assert process.returncode == 2, err
                    assert "Ray's own process on this machine (the raylet) has died" in err
            elif kind == "tree":
                kill_tree(process)
            else:
                process.kill()
                process.communicate()
            process = start(["run", "tiny.yaml", "-q"], tmp_path, own_cache)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    print("killed:", ", ".join(kills))

    after = record(tmp_path)
    assert (after.trials["state"] != "RUNNING").all()
    assert after.planned == before.planned
    assert found(after) == found(before)
    assert after.best == before.best
    wait_until(lambda: not any(map(alive, seen)), timeout=120)
    assert len(kills) == KILLS

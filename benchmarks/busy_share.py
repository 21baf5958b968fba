"""What share of a whole search its workers are at work in trials, from the command to its end, and where the rest goes.

    uv run python -m benchmarks.busy_share [ROUNDS]

Each round is a new search of `digits`, 160 trials of two workers and the references that they need, in a cache of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna

from sweeps.jobs.cache import VARIABLE
from sweeps.storage import open_storage

WORKERS = 2
SETTINGS = ("search.trials=20", "search.confirm=[]", f"resources.workers={WORKERS}")


def one_round(folder: Path) -> str:
    """A search in `folder`, and what came of it."""
    command = [sys.executable, "-m", "sweeps.cli", "search", "digits", "--runs", str(folder), "--quiet"]
    command += [word for setting in SETTINGS for word in ("--set", setting)]
    env, begun = os.environ | {VARIABLE: str(folder / "cache")}, time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    ended = time.time()
    storage = open_storage(f"sqlite:///{folder / 'digits' / 'study.db'}")
    studies = [optuna.load_study(study_name=n, storage=storage) for n in optuna.get_all_study_names(storage)]
    trials = [t for study in studies for t in study.get_trials(deepcopy=False)]
    busy = sum(trial.user_attrs.get("seconds", 0.0) for trial in trials) / WORKERS
    first = min(t.datetime_start.timestamp() for t in trials if t.datetime_start)
    last = max(t.datetime_complete.timestamp() for t in trials if t.datetime_complete)
    return (
        f"{len(trials)} trials in {ended - begun:.1f} s: {100 * busy / (ended - begun):.1f} % of the whole command in trials, "
        f"{100 * busy / (last - first):.1f} % between the first that is asked for and the last end; "
        f"{first - begun:.1f} s before, {ended - last:.1f} s after"
    )


def main() -> None:
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        with tempfile.TemporaryDirectory() as folder:
            print(one_round(Path(folder)), flush=True)


if __name__ == "__main__":
    main()

"""How long a sweep takes from the command to its first finished trial, and where that goes.

    uv run python -m benchmarks.start_up [ROUNDS] [--new]

Each round starts a new sweep on decoded data, two workers, and stops it after its first trial: an original model that trains for
one epoch. Medians over the rounds, least and greatest in brackets; the first round, which compiles all modules, does not count.
With `--new` each has a cache of its own, so that nothing is known of the network's speed, which is then measured.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import optuna
import yaml
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

ROUNDS = 3
POLL_SECONDS = 0.1
SPEC = {
    "dataset": "digits",
    "model": {"name": "small_resnet", "width": 2},
    "training": {"epochs": 1, "milestones": [1]},
    "unlearning": {"epochs": 1},
    "scenarios": {"random": {"tune_size": 50, "sizes": [50]}},
    "methods": ["finetune"],
    "search": {"trials": 50},
    "resources": {"workers": 2},
}
PHASES = ("the driver: imports, checks, storage, Ray", "a worker: process, torch, data", "the trial itself", "in all")


def first_trial(database: Path, name: str) -> optuna.trial.FrozenTrial | None:
    """The first trial that has ended."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT * FROM alembic_version").fetchall():
                return None  # whoever opens it now makes tables too
        study = optuna.load_study(
            study_name=f"{name}/reference/random/original", storage=RDBStorage(f"sqlite:///{database}")
        )
        trials = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    except (KeyError, sqlite3.Error, SQLAlchemyError, StorageInternalError):  # it is being made
        return None
    return trials[0] if trials else None


def once(folder: Path, name: str, env: dict[str, str]) -> tuple[float, float, float, float]:
    """Seconds until the first trial is asked for, until its worker begins, of the trial itself, and in all."""
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**SPEC, "name": name, "seed": abs(hash(name)) % 10**6}))
    started = datetime.now()
    driver = subprocess.Popen(
        [sys.executable, "-m", "sweeps.cli", "run", str(file)], cwd=folder, env=env, stderr=subprocess.PIPE
    )
    try:
        while (trial := first_trial(folder / "runs" / name / "study.db", name)) is None:
            if driver.poll() is not None and driver.stderr is not None:
                raise SystemExit(driver.stderr.read().decode())
            time.sleep(POLL_SECONDS)
    finally:
        driver.send_signal(signal.SIGINT)
        driver.wait()
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    asked = (trial.datetime_start - started).total_seconds()
    whole = (trial.datetime_complete - started).total_seconds()
    itself = float(trial.user_attrs["seconds"])
    return asked, whole - asked - itself, itself, whole


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rounds", type=int, nargs="?", default=ROUNDS)
    parser.add_argument("--new", action="store_true", help="a cache of its own for each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = str(Path(folder) / "cache")
        env = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled"), "UNLEARN_SWEEPS_CACHE": cache}
        env |= {"XDG_CACHE_HOME": cache}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        measured = []
        for i in range(options.rounds + 1):
            own = {"UNLEARN_SWEEPS_CACHE": f"{cache}{i}"} if options.new else {}
            measured.append(once(Path(folder), f"start{i}", env | own))
        del measured[0]
    for phase, of in zip(PHASES, zip(*measured, strict=True), strict=True):
        print(f"{phase:>42}: {statistics.median(of):5.1f} s ({min(of):.1f}–{max(of):.1f})")


if __name__ == "__main__":
    main()

"""What commands that start nothing take, beside the imports that reading a storage needs.

    uv run python -m benchmarks.command_line [ROUNDS]

Every round runs each command once, in turn, in processes of their own; told are medians over the rounds, least and greatest in
brackets, of the ratios to `python -c "import optuna, pandas, sqlalchemy"` of the same round. All modules are compiled before.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.trivial_sweep import finish_trivially

ROUNDS = 7
IMPORTS = [sys.executable, "-c", "import optuna, pandas, sqlalchemy"]
SWEEPS = [sys.executable, "-m", "sweeps.cli"]
#: The most that each should take, as a ratio; `--help` in seconds.
GOALS = {
    "--help": 0.5,
    "methods": 1.5,
    "scenarios": 1.5,
    "metrics": 1.5,
    "validate": 1.5,
    "status": 1.7,
} | dict.fromkeys(("run --dry-run", "run, all done"), 2.5)
#: Trials of the large sweep's searches, of which there are two; of the small one there are few trials in all.
LARGE, SMALL = 480, 4
FEW = {"methods": ["finetune", "sure"], "sensitivity": {"enabled": False}, "evaluation": {"seeds": 1}}


def commands(runs: Path) -> dict[str, list[str]]:
    """Each command by its name, on finished sweeps of which `many` and `few` differ in their number of trials."""
    finish_trivially(runs)
    for name, trials in (("many", LARGE), ("few", SMALL)):
        search = {"trials": trials, "sampler": "random", "confirm": "none"}
        sweep = finish_trivially(runs, {**FEW, "name": name, "search": search}, outputs=False)
        print(f"{name}: {len(sweep.record().trials)} trials")
    there = ["--runs", str(runs)]
    return {
        "imports": IMPORTS,
        **{name: [*SWEEPS, name] for name in ("--help", "methods", "scenarios", "metrics")},
        "validate": [*SWEEPS, "validate", "digits"],
        "status": [*SWEEPS, "status", "trivial", *there],
        "run --dry-run": [*SWEEPS, "run", "trivial", *there, "--dry-run"],
        "run, all done": [*SWEEPS, "run", "trivial", *there],
        "status (few)": [*SWEEPS, "status", "few", *there],
        "status (many)": [*SWEEPS, "status", "many", *there],
    }


def measure(rounds: int, every: Mapping[str, Sequence[str]], env: Mapping[str, str]) -> dict[str, list[float]]:
    """Seconds of each command, round after round; one round before is not counted, as it compiles what it imports."""
    seconds: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(rounds + 1):
        for name, command in every.items():
            started = time.perf_counter()
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            seconds[name].append(time.perf_counter() - started)
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr}")
    return {name: of[1:] for name, of in seconds.items()}


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):5.2f} ({min(values):.2f}–{max(values):.2f})"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        cache = str(Path(folder) / "cache")
        os.environ |= {"UNLEARN_SWEEPS_CACHE": cache, "XDG_CACHE_HOME": cache}
        env = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        seconds = measure(rounds, commands(Path(folder) / "runs"), env)
    base = seconds.pop("imports")
    print(f"imports: {spread(base)} s")
    few, many = seconds.pop("status (few)"), seconds.pop("status (many)")
    for name, of in seconds.items():
        told = f"{spread(of)} s" if name == "--help" else f"{spread([a / b for a, b in zip(of, base, strict=True)])} ×"
        print(f"{name:>14} {told}, goal ≤ {GOALS[name]}")
    print(
        f"status of many trials to that of few: {spread([a / b for a, b in zip(many, few, strict=True)])} ×, goal ≤ 1.5"
    )


if __name__ == "__main__":
    main()

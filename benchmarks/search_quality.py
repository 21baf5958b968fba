"""Which search delivers most for its cost? Records score curves once, then replays searches on them, thousands in minutes.

    uv run python -m benchmarks.search_quality record [--minutes 60] [--configurations 150] [--sets 10] [--cache FOLDER]
    uv run python -m benchmarks.search_quality replay [--repetitions 200] [--samplers random tpe gp] [--csv FILE]

`record` goes on where it stopped. `replay` prints the tables of docs/search.md; `--csv` keeps every strategy and task.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import optuna
import pandas as pd
import torch

from benchmarks.score_recorder import record
from benchmarks.score_table import ScoreTable
from benchmarks.search_replay import Confirmation, Sampler, Search, Stop, Task, replay

TABLE = Path(__file__).parent / "search_quality.npz"
TRIALS = (6, 8, 12, 16, 50)
ROUNDS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((1, 3),),
    ((2, 2),),
    ((3, 2),),
    ((3, 3),),
    ((4, 1), (2, 2)),
    ((4, 2), (2, 2)),
    ((8, 1), (4, 2)),
    ((8, 1), (4, 1), (2, 2)),
    ((8, 1), (4, 2), (2, 4)),
)
STOPS: tuple[Stop, ...] = ("smooth", "smooth_all", "mean", "mean_all", "search", "last")
ALONE = (
    Confirmation((), "search"),
    Confirmation((), "last"),
    Confirmation((), "smooth"),
    Confirmation((), "smooth", smooth_leaders=True),
)
BASELINE = Search("tpe", 50), ALONE[0]
#: A GP's suggestion takes ten times as long as TPE's.
SHARE_OF_REPETITIONS: dict[Sampler, float] = {"random": 1.0, "tpe": 1.0, "gp": 0.1}


def strategies(samplers: Iterable[Sampler], trials: Iterable[int]) -> Iterator[tuple[Search, list[Confirmation]]]:
    """Every search with everything that may follow it; pruners for TPE only."""
    after = [Confirmation(rounds, stop) for rounds in ROUNDS for stop in STOPS]
    for sampler in samplers:
        for count in trials:
            yield Search(sampler, count), [*ALONE, *after]
            if sampler != "gp":
                yield Search(sampler, count, rotate=3), [c for c in (*ALONE, *after) if c.sets <= 6]
            if sampler == "tpe":
                yield Search(sampler, count, "median"), [*ALONE, *after]
                yield Search(sampler, count, "hyperband"), [*ALONE, *after]


def measure(
    tasks: list[Task],
    plans: Iterable[tuple[Search, list[Confirmation]]],
    repetitions: Callable[[Search], int],
) -> pd.DataFrame:
    """One line per task and strategy: means over the repetitions."""
    lines = []
    for search, confirmations in plans:
        for task in tasks:
            count = repetitions(search)
            results = list(replay(task, search, confirmations, range(count)))
            for confirmation, repeated in zip(confirmations, zip(*results, strict=True), strict=True):
                delivered = pd.Series([r.delivered for r in repeated])
                lines.append(
                    {
                        "scenario": task.name[0],
                        "method": task.name[1],
                        **asdict(search),
                        "rounds": spelled(confirmation.rounds),
                        "stop": confirmation.stop,
                        "smooth_leaders": confirmation.smooth_leaders,
                        "delivered": delivered.mean(),
                        "error": delivered.sem(),
                        "hindsight": pd.Series([r.hindsight for r in repeated]).mean(),
                        "samples": pd.Series([r.samples for r in repeated]).mean(),
                        "best": task.best,
                        "repetitions": count,
                    }
                )
    return pd.DataFrame(lines)


def spelled(rounds: Iterable[tuple[int, int]]) -> str:
    """`8×1 4×2` for 8 leaders on one further set, then 4 on two; `none` where nothing is confirmed."""
    return " ".join(f"{leaders}×{sets}" for leaders, sets in rounds) or "none"


def over_tasks(frame: pd.DataFrame, baseline: tuple[Search, Confirmation] = BASELINE) -> pd.DataFrame:
    """One line per strategy: costs and regrets against the baseline's, averaged over the tasks."""
    search, confirmation = baseline
    task = ["scenario", "method"]
    key = {
        **asdict(search),
        "rounds": spelled(confirmation.rounds),
        "stop": confirmation.stop,
        "smooth_leaders": confirmation.smooth_leaders,
    }
    frame = frame.assign(regret=frame["delivered"] - frame["best"])
    base = frame[(frame[list(key)] == pd.Series(key)).all(axis=1)].set_index(task)
    old = base[["samples", "regret"]].rename(columns={"samples": "samples_base", "regret": "regret_base"})
    joined = frame.join(old, on=task)
    joined["cost"] = joined["samples"] / joined["samples_base"]
    means = joined.groupby(list(key), sort=False)[["cost", "delivered", "hindsight", "regret", "regret_base"]].mean()
    means["regret_share"] = means["regret"] / means["regret_base"]
    means["optimism"] = means["delivered"] / means["hindsight"]
    return means.drop(columns="regret_base").reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="make the table, or go on with it")
    recording.add_argument("--minutes", type=float, default=60)
    recording.add_argument("--configurations", type=int, default=150)
    recording.add_argument("--sets", type=int, default=10)
    recording.add_argument("--scenarios", nargs="+", default=["random", "partial_class"])
    recording.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "unlearn-sweeps")
    replaying = commands.add_parser("replay", help="compare search strategies on the table")
    replaying.add_argument("--repetitions", type=int, default=200)
    replaying.add_argument(
        "--samplers", nargs="+", default=list(SHARE_OF_REPETITIONS), choices=list(SHARE_OF_REPETITIONS)
    )
    replaying.add_argument("--trials", nargs="+", type=int, default=list(TRIALS))
    replaying.add_argument("--csv", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)  # the GP's small matrices
    (record_table if options.command == "record" else replay_table)(options)


def record_table(options: argparse.Namespace) -> None:
    started = time.monotonic()
    for row in record(
        options.table,
        options.cache,
        options.scenarios,
        sets=options.sets,
        configurations=options.configurations,
        minutes=options.minutes,
    ):
        kept = f"{row.measured.sum()} sets, best mean {row.curves.mean(0)[:, 1].min():.2f}"
        print(f"{time.monotonic() - started:7.0f} s  {row.scenario} {row.method} {row.origin}: {kept}", flush=True)


def replay_table(options: argparse.Namespace) -> None:
    table = ScoreTable.load(options.table)
    tasks = [Task.of(table, *name) for name in table.tasks]
    for task in tasks:
        print(f"{' '.join(task.name)}: {len(task.dev)} configurations, best fixed {task.best:.2f}")
    frame = measure(
        tasks,
        strategies(options.samplers, options.trials),
        lambda search: max(2, round(options.repetitions * SHARE_OF_REPETITIONS[search.sampler])),
    )
    if options.csv:
        frame.to_csv(options.csv, index=False)
    print(over_tasks(frame).to_string(index=False, float_format=lambda x: f"{x:.2f}"))


if __name__ == "__main__":
    main()

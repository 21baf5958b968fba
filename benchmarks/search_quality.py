"""Which search delivers most for its cost? Records score curves once, then replays searches on them, hundreds in minutes.

    uv run python -m benchmarks.search_quality record [--minutes 60] [--configurations 150] [--sets 10] [--cache FOLDER]
    uv run python -m benchmarks.search_quality replay [--repetitions 400] [--csv FILE]

`record` goes on where it stopped. `replay` prints the tables of docs/search.md; with `--csv` it replays every combination of
sampler, pruner, trials, rounds and stop rule, and keeps what each delivers for each task.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import fmean

import optuna
import pandas as pd
import torch

from benchmarks.score_recorder import record
from benchmarks.score_table import ScoreTable
from benchmarks.search_replay import Confirmation, Pruner, Sampler, Search, Stop, Task, replay

TABLE = Path(__file__).parent / "search_quality.npz"
Strategy = tuple[Search, Confirmation]

ALONE = Confirmation((), "search")
SHIPPED = Confirmation(((4, 1), (2, 2)), "smooth")
#: More trials than the table has rows: the best of them all on one set, whatever the sampler.
BASELINE: Strategy = Search("random", 50), ALONE
#: A suggestion by TPE takes as long as a whole random search, one by the GP a hundred times as long.
SHARE_OF_REPETITIONS: dict[Sampler, float] = {"random": 1.0, "tpe": 0.1, "gp": 0.015}

TABLES: dict[str, list[Strategy]] = {
    "More search, and confirmation": [
        *((Search("random", trials), ALONE) for trials in (6, 8, 12)),
        BASELINE,
        (Search("random", 8), Confirmation(((1, 3),), "smooth")),
        (Search("random", 8), Confirmation(((3, 2),), "smooth")),
        (Search("random", 8), Confirmation(((3, 3),), "smooth")),
        *((Search("random", trials), SHIPPED) for trials in (6, 8, 12)),
        (Search("random", 50), SHIPPED),
        (Search("random", 6), Confirmation(((4, 2), (2, 2)), "smooth")),
        (Search("random", 8), Confirmation(((4, 2), (2, 2)), "smooth")),
        (Search("random", 8), Confirmation(((8, 1), (4, 2), (2, 4)), "smooth")),
    ],
    "Where to stop": [
        (Search("random", 8), Confirmation((), "last")),
        (Search("random", 8), Confirmation((), "smooth", smooth_leaders=True)),
        *(
            (Search("random", 8), Confirmation(SHIPPED.rounds, stop))
            for stop in ("mean", "mean_all", "smooth", "smooth_all", "search", "last")
        ),
    ],
    "Samplers, pruners, forget sets in turn": [
        (search, confirmation)
        for search in (
            Search("random", 8),
            Search("tpe", 8),
            Search("gp", 8),
            Search("tpe", 8, "median"),
            Search("tpe", 8, "hyperband"),
            Search("tpe", 8, rotate=3),
        )
        for confirmation in (ALONE, SHIPPED)
    ],
}
ROUNDS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((1, 3),),
    ((2, 2),),
    ((3, 2),),
    ((3, 3),),
    ((4, 1), (2, 2)),
    ((4, 2), (2, 2)),
    ((8, 1), (4, 1), (2, 2)),
    ((8, 1), (4, 2), (2, 4)),
)
STOPS: tuple[Stop, ...] = ("smooth", "smooth_all", "mean", "mean_all", "search", "last")
PRUNERS: tuple[Pruner, ...] = ("none", "median", "hyperband")


def every_strategy() -> list[Strategy]:
    """All combinations; the GP without pruners, from which it learns nothing."""
    searches = [
        Search(sampler, trials, pruner, rotate)
        for sampler, trials, pruner, rotate in product(SHARE_OF_REPETITIONS, (6, 8, 12, 16, 50), PRUNERS, (1, 3))
        if (sampler, pruner) in {("gp", "none")} or sampler != "gp"
    ]
    alone = [Confirmation((), stop) for stop in STOPS[::2]] + [Confirmation((), "smooth", smooth_leaders=True)]
    after = [Confirmation(rounds, stop) for rounds in ROUNDS for stop in STOPS]
    return [(search, c) for search in searches for c in (*alone, *after) if c.sets + search.rotate < 10]


def measure(tasks: list[Task], strategies: Iterable[Strategy], repetitions: Callable[[Search], int]) -> pd.DataFrame:
    """One line per task and strategy: means over the repetitions."""
    plans: dict[Search, dict[Confirmation, None]] = {}
    for search, confirmation in strategies:
        plans.setdefault(search, {})[confirmation] = None
    lines: list[dict[str, object]] = []
    for (search, confirmations), task in product(plans.items(), tasks):
        count = repetitions(search)
        results = list(replay(task, search, list(confirmations), range(count)))
        for confirmation, repeated in zip(confirmations, zip(*results, strict=True), strict=True):
            means = {name: fmean(getattr(r, name) for r in repeated) for name in ("delivered", "hindsight", "samples")}
            about: dict[str, object] = {
                "scenario": task.name[0],
                "method": task.name[1],
                "best": task.best,
                "repetitions": count,
            }
            lines.append({**key_of((search, confirmation)), **about, **means})
    return pd.DataFrame(lines)


def key_of(strategy: Strategy) -> dict[str, object]:
    """The columns that tell a strategy."""
    search, confirmation = strategy
    return {**asdict(search), **asdict(confirmation), "rounds": spelled(confirmation)}


def spelled(confirmation: Confirmation) -> str:
    """`4×1, 2×2` for four leaders on one further set, then two on two more."""
    return ", ".join(f"{leaders}×{sets}" for leaders, sets in confirmation.rounds) or "none"


def over_tasks(frame: pd.DataFrame, baseline: Strategy = BASELINE) -> pd.DataFrame:
    """One line per strategy: costs and regrets against the baseline's, averaged over the tasks."""
    key, task = key_of(baseline), ["scenario", "method"]
    frame = frame.assign(regret=frame["delivered"] - frame["best"])
    base = frame[(frame[list(key)] == pd.Series(key)).all(axis=1)].set_index(task)
    old = base[["samples", "regret"]].rename(columns={"samples": "samples_base", "regret": "regret_base"})
    joined = frame.join(old, on=task)
    joined["cost"] = joined["samples"] / joined["samples_base"]
    means = joined.groupby(list(key), sort=False)[["cost", "delivered", "hindsight", "regret", "regret_base"]].mean()
    means["regret_share"] = means["regret"] / means["regret_base"]
    means["optimism"] = means["delivered"] / means["hindsight"]
    return means.drop(columns="regret_base").reset_index()


def markdown(frame: pd.DataFrame, strategies: Iterable[Strategy]) -> str:
    """The strategies as a table: their cost, what they deliver for each task (in hindsight), and their share of the regret."""
    tasks = list(dict.fromkeys(zip(frame["scenario"], frame["method"], strict=True)))
    heads = [
        "search",
        "confirmation",
        "stop",
        "cost",
        *(f"{m}, {s}" for s, m in tasks),
        "regret",
        "delivered / hindsight",
    ]
    lines = [heads, ["---"] * len(heads)]
    summary = over_tasks(frame)
    for strategy in strategies:
        key = key_of(strategy)
        of_tasks = frame[(frame[list(key)] == pd.Series(key)).all(axis=1)]
        overall = summary[(summary[list(key)] == pd.Series(key)).all(axis=1)].iloc[0]
        cells = [f"{row.delivered:.2f} ({row.hindsight:.2f})" for row in of_tasks.itertuples()]
        lines.append(
            [
                *count_of(strategy),
                f"{overall['cost']:.2f}",
                *cells,
                f"{overall['regret_share']:.2f}",
                f"{overall['optimism']:.2f}",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def count_of(strategy: Strategy) -> tuple[str, str, str]:
    """Search, confirmation and stop rule as a table names them."""
    search, confirmation = strategy
    extras = [search.pruner] * (search.pruner != "none") + [f"{search.rotate} sets in turn"] * (search.rotate > 1)
    stop = confirmation.stop + ", leaders too" * confirmation.smooth_leaders
    return ", ".join([f"{search.trials} {search.sampler}", *extras]), spelled(confirmation), stop


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
    replaying.add_argument("--repetitions", type=int, default=400)
    replaying.add_argument("--csv", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)  # the GP's matrices are small
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
        print(f"{task.name[1]}, {task.name[0]}: {len(task.dev)} configurations, the best fixed one {task.best:.2f}")

    for scenario, score in table.untouched.items():
        print(f"the original as it is, {scenario}: {score:.2f}")

    def repetitions(search: Search) -> int:
        return max(2, int(options.repetitions * SHARE_OF_REPETITIONS[search.sampler]))

    for title, strategies in TABLES.items():
        frame = measure(tasks, [BASELINE, *strategies], repetitions)
        print(f"\n{title}\n\n{markdown(frame, strategies)}", flush=True)
    if options.csv:
        measure(tasks, every_strategy(), repetitions).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()

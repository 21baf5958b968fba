"""A sweep's search against the same trials as people write them (`naive_peer`): seconds, and samples to the same quality.

    uv run python -m benchmarks.against_naive [--sweep digits|cifar --root FOLDER] [--rounds 5] [--trials N] [--folder FOLDER]

Each round runs our search (two workers, from the command to its report), then the peer on the very configurations that ours has
run: two processes with one thread each, the same forget sets, checkpoints, run seeds and order of batches (`agreement`, which the
benchmark fails without). Originals and oracles are trained beforehand, and are part of no figure. Weight distances are left out
of both, as the peer has no alignment of units.

Ratios are the peer's to ours: above 1, ours is quicker. `--folder` keeps models and results for another call.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState
from threadpoolctl import threadpool_limits
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import naive_peer, search_quality
from benchmarks.agreement import NUDGE, Result, Trial, refused, told
from benchmarks.score_table import ScoreTable
from benchmarks.search_replay import Search
from benchmarks.search_replay import Task as Recorded
from benchmarks.spending import Spent, matrix_rate, spend
from sweeps.jobs.cache import VARIABLE, Cache
from sweeps.jobs.job import Job, Update
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan, run_seed
from sweeps.spec import Spec, load_spec
from sweeps.sweep import Sweep
from unlearn.hardware import cpu_has_bfloat16

ATTACKS = "mia_confidence,mia_knn_forget,mia_knn_train"
#: Of its learning rate, at which a trial is run once more where rounding has driven all of its method apart.
SMALLER = 0.01
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
ALIKE = ("search.confirm=[]", "resources.workers=2", f"metrics.best_epoch=[{ATTACKS}]")


@dataclass(frozen=True)
class Case:
    """A shipped sweep as it is measured.

    Attributes:
        trials: of each method in each scenario, unless the command says otherwise.
        few: trials of those rows on which the peer is slow, and of those in one process.
        changes: of the sweep, to fit the time.
        whole: whether the whole search is run in bfloat16 too, for which its references are trained in that.
    """

    name: str
    trials: int
    few: int
    changes: tuple[str, ...]
    whole: bool


CASES = {
    "digits": Case("digits", 6, 4, (), whole=False),
    "cifar": Case("cifar10_small", 2, 2, ("unlearning.epochs=3",), whole=True),
}


class Bench:
    """One sweep and the folder of its runs."""

    def __init__(self, case: Case, root: str | None, trials: int | None, folder: Path) -> None:
        self.case, self.cache = case, Cache(folder / "cache")
        self.runs, self.tasks, self.peers = (folder / part for part in ("runs", "tasks", "peer"))
        self.log = folder / "log"
        self.overrides = [*ALIKE, *case.changes, f"search.trials={trials or case.trials}"]
        self.overrides += [f"dataset.root={Path(root).absolute()}"] if root else []
        self.cache.prepare()
        os.environ[VARIABLE] = str(self.cache.folder)
        for part in (self.runs, self.tasks, self.peers):
            part.mkdir(exist_ok=True)

    def spec(self, precision: str) -> Spec:
        return load_spec(self.case.name, [*self.overrides, f"precision={precision}"])

    def ours(self, precision: str, *more: str) -> tuple[Spent, list[Trial]]:
        """A whole search: what it took, and its trials."""
        runs = Path(tempfile.mkdtemp(prefix=f"{precision}-", dir=self.runs))
        settings = [word for o in (*self.overrides, f"precision={precision}", *more) for word in ("--set", o)]
        command = [sys.executable, "-m", "sweeps.cli", "search", self.case.name, "--runs", runs, "--quiet", *settings]
        return spend(command, log=self.log), list(trials_of(self.spec(precision), runs))

    def peer(self, asked: Sequence[naive_peer.Job], *, threads: int | None = 1) -> tuple[Spent, list[Any]]:
        """The same trials as people write them: what they took, and their results, None where one diverged.

        Args:
            threads: of each of the two processes; None: as many as the libraries take by themselves.
        """
        folder, command = self._study(asked)
        spent = spend(command, command, log=self.log, env=ONE_THREAD if threads else {})
        study = optuna.load_study(study_name="peer", storage=f"sqlite:///{folder}/study.db")
        return spent, [trial.user_attrs.get("result") for trial in study.get_trials(deepcopy=False)[: len(asked)]]

    def scripts(self, asked: Sequence[naive_peer.Job]) -> float:
        """Wall-clock seconds of a process for each trial, two at a time."""
        command, started = [*self._study(asked)[1], "--once"], time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: spend(command, log=self.log, env=ONE_THREAD), asked))
        return time.perf_counter() - started

    def _study(self, asked: Sequence[naive_peer.Job]) -> tuple[Path, list[object]]:
        """A new folder with the peer's configurations, and its command."""
        folder = Path(tempfile.mkdtemp(dir=self.peers))
        (folder / "jobs.json").write_text(json.dumps(asked))
        optuna.create_study(study_name="peer", storage=f"sqlite:///{folder}/study.db")
        return folder, [sys.executable, "-m", "benchmarks.naive_peer", folder]


def trials_of(spec: Spec, runs: Path) -> Iterable[Trial]:
    """The search's trials, from its storage."""
    storage = Sweep.at(spec, runs).open_to_read()
    for plan in make_plan(spec, ["search"]).studies:
        if plan.space is None:
            continue
        draw = plan.draws[0]
        for trial in optuna.load_study(study_name=plan.name, storage=storage).get_trials(deepcopy=False):
            if trial.state == TrialState.COMPLETE or trial.user_attrs.get("outcome") == "diverged":
                values, seed = plan.space.decode(trial.params), run_seed(spec.seed, "search", draw)
                yield Trial.stored(Job("unlearning", draw, plan.scored_on, plan.method, values, seed), trial)


class Rows(dict[str, list[float]]):
    """Figures by name, one a round."""

    def add(self, name: str, value: float) -> None:
        self.setdefault(name, []).append(value)

    def __str__(self) -> str:
        return "\n".join(f"{n:<64} {statistics.median(v):6.2f} ({min(v):.2f}–{max(v):.2f})" for n, v in self.items())


def one_round(bench: Bench, workers: dict[str, Worker], rows: Rows) -> tuple[int, list[str]]:
    """Every measurement once; how many trials drifted apart, and where the two disagree."""
    ours, trials = bench.ours("float32")
    asked = [told(workers["float32"], trial.job, bench.tasks) for trial in trials]
    peer, results = bench.peer(asked)
    rows.add("whole search, wall-clock time", peer.wall / ours.wall)
    rows.add("whole search, processor time", peer.cpu / ours.cpu)
    if bench.case.whole and "bfloat16" in workers:
        rows.add("whole search, ours in bfloat16, wall-clock time", peer.wall / bench.ours("bfloat16")[0].wall)
    done = [i for i, trial in enumerate(trials) if trial.epoch is not None and results[i] is not None]
    seconds = sum(trials[i].seconds for i in done)
    rows.add("its trials, wall-clock time", sum(results[i]["seconds"] for i in done) / seconds)
    few = done[:: max(1, len(done) // bench.case.few)][: bench.case.few]
    seconds, some = sum(trials[i].seconds for i in few), [asked[i] for i in few]
    rows.add("few trials, the peer as a script each", 2 * bench.scripts(some) / seconds)
    slow, seconds = bench.peer(some[:2], threads=None)[1], sum(trials[i].seconds for i in few[:2])
    rows.add("two trials, the peer with torch's default threads", sum(result["seconds"] for result in slow) / seconds)
    in_one_process(workers, [(trials[i].job, asked[i]) for i in few], rows)
    sizes = [peer_task(job["task"]).sizes for job in asked]
    return refused(
        trials,
        results,
        sizes,
        nudged=lambda i: peers({**asked[i], "nudge": NUDGE}),
        gentle=lambda i: gentle(bench, workers["float32"], trials[i].job),
    )


def gentle(bench: Bench, worker: Worker, job: Job) -> tuple[Trial, Result]:
    """Ours and the peer's of a trial with so small steps that rounding stays small."""
    slow = replace(job, hyperparameters={**job.hyperparameters, "lr": SMALLER * job.hyperparameters["lr"]})
    return Trial.run(worker, slow)[0], peers(told(worker, slow, bench.tasks))


def peers(asked: naive_peer.Job) -> Result:
    """The peer's result, here; None where it diverges."""
    try:
        return naive_peer.run(peer_task(asked["task"]), asked)
    except FloatingPointError:
        return None


def in_one_process(workers: dict[str, Worker], jobs: Sequence[tuple[Job, naive_peer.Job]], rows: Rows) -> None:
    """Single trials of ours and of the peer in turn, one thread, processor time."""
    spent, operations = dict.fromkeys([*workers, "peer"], 0.0), 0.0
    for job, asked in jobs:
        task = peer_task(asked["task"])
        for name, worker in workers.items():
            load(worker, job)
            started = time.process_time()
            done = Trial.run(worker, job)
            spent[name] += time.process_time() - started
            operations += operations_of(worker, *done) if name == "float32" else 0
        started = time.process_time()
        naive_peer.run(task, asked)
        spent["peer"] += time.process_time() - started
    rates = {name: matrix_rate(getattr(torch, name)) for name in workers}
    for name, rate in rates.items():
        rows.add(f"few trials in one process, ours in {name}, processor time", spent["peer"] / spent[name])
        rows.add(f"  ours in {name}: share of the processor's matrix rate", operations / spent[name] / rate)
    rows.add("  the peer in float32: likewise", operations / spent["peer"] / rates["float32"])


def load(worker: Worker, job: Job) -> None:
    """Have what all trials on a forget set share, as the peer has it in its task."""
    task, families = worker.task(job.draw, job.scored_on), worker.spec.metrics
    worker.workspace.original(task)
    for asked in (families.every_epoch, families.best_epoch):
        worker.workspace.oracle_metrics(task, asked)


@cache
def peer_task(path: str) -> naive_peer.Task:
    return naive_peer.Task(Path(path))


def operations_of(worker: Worker, trial: Trial, update: Update) -> float:
    """Multiplications and additions of a trial's passes; one backward takes as many as two forward."""
    workspace, task = worker.workspace, worker.task(trial.job.draw, trial.job.scored_on)
    with FlopCounterMode(display=False) as counter:
        workspace.original(task).model(workspace.samples.images[:1])
    data = workspace.task_data(task)
    sets = [data.retain, data.forget, data.heldout, *[data.validation_alike] * (trial.job.method == "scrub")]
    passes = 3 * update.facts["samples"] + update.facts["forward_samples"] + sum(map(len, sets)) * len(trial.curve)
    return float(passes * counter.get_total_flops())


def quality(repetitions: int = 200) -> str:
    """How many times fewer samples find a winner as good as the peer's: the best of 50 trials on one forget set."""
    table = ScoreTable.load(search_quality.TABLE)
    tasks = [Recorded.of(table, *name) for name in table.tasks]
    ours = [(Search("random", trials), search_quality.SHIPPED) for trials in (4, 5, 6, 8)]
    frame = search_quality.measure(tasks, [search_quality.BASELINE, *ours], lambda _: repetitions)
    found = search_quality.over_tasks(frame)
    lines = found.loc[found["rounds"] != "none", ["trials", "cost", "regret_share"]].astype(float)
    return "\n".join(
        f"  {trials:.0f} trials, leaders confirmed: {1 / cost:.2f} times fewer samples, {regret:.2f} of its regret"
        for trials, cost, regret in lines.to_numpy()
    )


def workers_of(bench: Bench) -> dict[str, Worker]:
    """A worker in each precision that the processor has in hardware, on the same float32 checkpoints."""
    workers = {"float32": Worker(bench.spec("float32"), bench.cache)}
    if cpu_has_bfloat16():
        workers["bfloat16"] = other = Worker(bench.spec("float32"), bench.cache)
        other.workspace.setting = replace(other.workspace.setting, precision="bfloat16")
    return workers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sweep", choices=CASES, default="digits")
    parser.add_argument("--root", help="of the image tree, for cifar: train/<class>/*, test/<class>/*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, help="of each method in each scenario")
    parser.add_argument("--folder", type=Path, help="where models and results stay; by default they do not")
    options = parser.parse_args()
    if options.sweep == "cifar" and not options.root:
        parser.error("--sweep cifar needs --root FOLDER")
    torch.set_num_threads(1)
    threadpool_limits(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        measure(Bench(CASES[options.sweep], options.root, options.trials, folder), options.rounds)


def measure(bench: Bench, rounds: int) -> None:
    """Print every row; exits where ours and the peer disagree."""
    for precision in ("float32", "bfloat16") if bench.case.whole else ("float32",):
        bench.ours(precision, "search.trials=1")  # trains the references
    workers, rows, drifted, wrong = workers_of(bench), Rows(), 0, list[str]()
    for _ in range(rounds):
        apart, lines = one_round(bench, workers, rows)
        drifted, wrong = drifted + apart, wrong + lines
    print(f"The peer's time ÷ ours, and shares: median of {rounds} rounds (least–greatest)\n{rows}")
    print(f"Trials that rounding has driven apart: {drifted} of all rounds")
    print(f"Against 50 trials and the best on one set, replayed (as good where regret ≤ 1):\n{quality()}")
    if wrong:
        raise SystemExit("ours and the peer disagree:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()

"""What `against_naive` gives the peer, and whether its results are ours.

The peer gets the order of our batches, but not our arithmetic: memory layout and the formulas of losses differ in the last bit.
Where a run is unstable, rounding grows to anything (SURE at a learning rate of 0.09: more than a hundred samples after four
epochs, whatever the layout). So of each method in each scenario at least half of the trials must agree in every number, both
after the first epoch and at the epoch that counts: accuracies within two samples, MIA-I within five points. The other trials are
counted as drifted apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from optuna.trial import FrozenTrial

from benchmarks import naive_peer
from sweeps.jobs.job import Job, Update, curve_of
from sweeps.jobs.worker import Worker
from unlearn.methods import Streams
from unlearn.workspace import Task

SAMPLES, POINTS = 2, 5.0


@dataclass(frozen=True)
class Trial:
    """One trial of ours: its job, what each epoch gave, and the one that counts; none where it diverged."""

    job: Job
    curve: list[dict[str, float]]
    epoch: int | None
    seconds: float

    @staticmethod
    def stored(job: Job, trial: FrozenTrial) -> Trial:
        columns = trial.user_attrs.get("curve", {})
        curve = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return Trial(job, curve, trial.user_attrs.get("epoch"), trial.user_attrs.get("seconds", 0.0))

    @staticmethod
    def run(worker: Worker, job: Job) -> tuple[Trial, Update]:
        """Run it here."""
        updates = list(worker.run(job))
        curve = curve_of(epoch for update in updates for epoch in update.epochs)
        last = updates[-1]
        if last.outcome not in {"complete", "diverged"}:
            raise RuntimeError(last.reason)
        return Trial(job, curve, last.epoch, last.facts.get("seconds", 0.0)), last


def refused(
    trials: Sequence[Trial], results: Sequence[dict[str, Any] | None], sizes: Sequence[dict[str, int]]
) -> tuple[int, list[str]]:
    """How many trials disagree, and what they say where more than half of a method's do."""
    found: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for trial, result, of_sets in zip(trials, results, sizes, strict=True):
        found[trial.job.draw.scenario, trial.job.method].append(disagreements(trial, result, of_sets))
    apart = sum(bool(lines) for of_study in found.values() for lines in of_study)
    wrong = [of_study for of_study in found.values() if 2 * sum(map(bool, of_study)) > len(of_study)]
    return apart, [line for of_study in wrong for lines in of_study for line in lines]


def disagreements(trial: Trial, peer: dict[str, Any] | None, sizes: dict[str, int]) -> list[str]:
    """Where the two differ by more than is allowed.

    Args:
        peer: its result; None where it diverged.
        sizes: of the sets, by name.
    """
    name = f"{trial.job.draw.scenario} {trial.job.method} {trial.job.hyperparameters}"
    if trial.epoch is None or peer is None:
        both = trial.epoch is None and peer is None
        return [] if both else [f"{name}: {'the peer' if peer is None else 'ours'} alone diverged"]
    accuracies = [f"{of}_accuracy" for of in ("retain", "forget", "heldout", "class") if of in sizes]
    allowed = {of: 100 * (SAMPLES + 0.01) / sizes[of.removesuffix("_accuracy")] for of in accuracies}
    epochs = [int(each["epoch"]) for each in trial.curve]
    return [
        f"{name}, epoch {epoch}: {metric} {trial.curve[at][metric]:.2f}, the peer's {peer['curve'][at][metric]:.2f}"
        for at, epoch in enumerate(epochs)
        if epoch in {1, trial.epoch}
        for metric, most in {**allowed, "mia_loss": POINTS}.items()
        if abs(trial.curve[at][metric] - peer["curve"][at][metric]) > most
    ]


def told(worker: Worker, job: Job, folder: Path) -> naive_peer.Job:
    """A job as the peer is given it; its task is written into `folder`."""
    path = folder / f"{job.draw.scenario}.pt"
    if not path.exists():
        torch.save(samples_of(worker, worker.task(job.draw, job.scored_on)), path)
    streams = Streams(job.seed)
    seeds = {name: streams.generator(name).initial_seed() for name in ("retain", "forget", "validation", "regressor")}
    values = asdict(worker.method(job))
    return {"task": str(path), "method": job.method, "hyperparameters": values, "seeds": seeds}


def samples_of(worker: Worker, task: Task) -> dict[str, Any]:
    """A task as the peer is given it."""
    workspace, data = worker.workspace, worker.workspace.task_data(task)
    setting, summary = workspace.setting, workspace.data.summary
    sets = {name: getattr(data, name) for name in ("retain", "forget", "heldout")}
    sets |= {"unseen": data.validation, "validation": data.validation_alike}
    sets |= {} if data.heldout_class is None else {"class": data.heldout_class}
    return {
        "images": data.images,
        "labels": data.labels,
        "sets": sets,
        "seed": task.forget_seed,
        "original": str(workspace.store.path(workspace.original(task).key)),
        "oracle": str(workspace.store.path(workspace.oracle(task).key)),
        "model": setting.model,
        "options": dict(setting.model_options),
        "classes": workspace.data.num_classes,
        "mean": summary.mean,
        "std": summary.std,
    }

"""What `against_naive` gives the peer, and whether its results are ours.

The peer gets the order of our batches, but not our arithmetic: memory layout and the formulas of losses differ in the last bit.
Trials must agree after the first epoch and at the epoch that counts: accuracies within two samples, MIA-I within five points.
Where a run is unstable, rounding grows to anything (SURE at a learning rate of 0.09: more than a hundred samples after four
epochs, whatever the layout). So a trial that does not agree is run by the peer once more, its first weights changed in the last
bits: where the peer so disagrees with itself, at that epoch or before, the trial is counted as driven apart by rounding; else the
two are not the same. Where that holds of every trial of a method, one is run with smaller steps, and must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
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
#: Of its own size, by which each weight of the peer's second run is changed: the last bits of float32.
NUDGE = 1e-6

#: What the peer found of a trial; None where it diverged.
Result = dict[str, Any] | None
#: Values by epoch.
Curve = dict[int, dict[str, float]]


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
    trials: Sequence[Trial],
    results: Sequence[Result],
    sizes: Sequence[dict[str, int]],
    nudged: Callable[[int], Result],
    gentle: Callable[[int], tuple[Trial, Result]],
) -> tuple[int, list[str]]:
    """How many trials rounding has driven apart, and where others disagree.

    Args:
        results: the peer's; None where one diverged. nudged: that of a trial, its first weights changed in the last bits.
        gentle: ours and the peer's of a trial with smaller steps: where all others of a method are driven apart, that must agree.
        sizes: of each trial's sets, by name.
    """
    apart, wrong, left = 0, list[str](), dict[str, int | None]()
    for i, (trial, result, of_sets) in enumerate(zip(trials, results, sizes, strict=True)):
        name = f"{trial.job.draw.scenario} {trial.job.method}"
        lines, drifted = _compared(trial, result, of_sets, partial(nudged, i))
        excused = drifted and not lines
        apart += excused
        left[name] = i if excused and left.get(name, i) is not None else None
        wrong += [f"{name} {trial.job.hyperparameters}: {line}" for line in lines]
    for name, unseen in left.items():
        if unseen is not None:
            trial, result = gentle(unseen)
            lines = _without_excuse(trial, result, sizes[unseen])
            wrong += [f"{name} {trial.job.hyperparameters}: {line}" for line in lines]
    return apart, wrong


def _without_excuse(trial: Trial, result: Result, sizes: dict[str, int]) -> list[str]:
    """Where a trial and the peer's disagree, whatever the reason."""
    return _compared(trial, result, sizes, lambda: result)[0]


def _compared(
    trial: Trial, result: Result, sizes: dict[str, int], nudged: Callable[[], Result]
) -> tuple[list[str], bool]:
    """Where a trial and the peer's disagree and rounding is no reason, and whether it is one somewhere."""
    ours = None if trial.epoch is None else {int(values["epoch"]): values for values in trial.curve}
    # SCRUB-R may choose the model before any step; a trial that diverges in its first epoch has no curve
    first = min((int(values["epoch"]) for values in trial.curve), default=int(trial.job.method != "scrub"))
    looked_at = {1} if trial.epoch is None else {1, trial.epoch}
    peer = _curve(result, first)
    found = {epoch: disagreements(ours, peer, {epoch}, sizes) for epoch in sorted(looked_at)}
    if not any(found.values()):
        return [], False
    other = _curve(nudged(), first)
    lines = dict[str, None]()
    drifted = False
    for epoch, of_epoch in found.items():  # what comes apart later is no reason for an earlier difference
        drifted = drifted or bool(disagreements(other, peer, {epoch}, sizes))
        lines |= dict.fromkeys([] if drifted else of_epoch)
    return list(lines), drifted


def _curve(result: Result, first: int) -> Curve | None:
    """The peer's values by epoch."""
    return None if result is None else dict(enumerate(result["curve"], first))


def disagreements(ours: Curve | None, peer: Curve | None, epochs: set[int], sizes: dict[str, int]) -> list[str]:
    """Where two curves differ at some epochs by more than is allowed; None is one that diverged."""
    if ours is None or peer is None:
        return [] if ours is peer else [f"{'the peer' if peer is None else 'ours'} alone diverged"]
    accuracies = [f"{of}_accuracy" for of in ("retain", "forget", "heldout", "class") if of in sizes]
    allowed = {of: 100 * (SAMPLES + 0.01) / sizes[of.removesuffix("_accuracy")] for of in accuracies}
    return [
        f"epoch {epoch}: {metric} {ours[epoch][metric]:.2f}, the peer's {peer[epoch][metric]:.2f}"
        for epoch in sorted(epochs)
        for metric, most in {**allowed, "mia_loss": POINTS}.items()
        if not abs(ours[epoch][metric] - peer[epoch][metric]) <= most  # NaN is no agreement
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

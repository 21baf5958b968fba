"""Finished sweeps without training: the studies' own code and a real storage, but workers that answer at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.jobs.job import Job, Update
from sweeps.outputs.report import write_outputs
from sweeps.plan import make_plan
from sweeps.spec import check_sizes, parse_spec
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep

#: As many as a real trial has.
METRICS = (
    *("retain_accuracy", "forget_accuracy", "heldout_accuracy", "mia_loss"),
    *("retain_gap", "forget_gap", "utility_gap", "mia_loss_gap"),
    *("relative_run_time", "relative_samples", "relative_forward_samples"),
)
SPEC: dict[str, Any] = {
    "name": "trivial",
    "dataset": "digits",
    "model": "small_resnet",
    "scenarios": {"random": {"tune_size": 100, "sizes": [100]}},
    "methods": ["finetune", "oracle", "sure"],
    "search": {"trials": 5, "sampler": "random"},
    "evaluation": {"seeds": 2},
    "sensitivity": {"points": 3},
}


def answer(job: Job, epochs: int) -> Update:
    """What a worker would say of a job: scores that depend on lr, the least at the last epoch."""
    facts = {"host": "here", "pid": 1, "device": "cpu", "seconds": 1.0, "samples": 1000, "forward_samples": 0}
    if job.kind != "unlearning":
        metrics = dict.fromkeys(METRICS[:4], 50.0)
        return Update("complete", values=[50.0], metrics=metrics, facts={"key": job.kind, "loaded": False, **facts})
    distance = abs(job.hyperparameters.get("lr", 1.0) - 0.01)
    curve = [
        {"epoch": e, "score": distance + 0.1 / e, **dict.fromkeys(METRICS, distance + 1 / e)}
        for e in range(1, epochs + 1)
    ]
    at = {
        name: value for name, value in curve[(job.stop_epoch or epochs) - 1].items() if name not in {"epoch", "score"}
    }
    last = epochs if job.stop_epoch else None
    hindsight = {name: curve[-1][name] for name in METRICS} if last else {}
    return Update(
        "complete",
        epochs=curve,
        values=[curve[(job.stop_epoch or epochs) - 1]["score"]],
        epoch=job.stop_epoch or epochs,
        metrics=at,
        hindsight_epoch=last,
        hindsight=hindsight,
        facts=facts,
    )


def finish_trivially(runs: Path, changes: Mapping[str, Any] | None = None, *, outputs: bool = True) -> Sweep:
    """A sweep under `runs`, every trial done.

    Args:
        changes: sections of `SPEC` that are replaced.
        outputs: whether the report is written too.
    """
    spec = parse_spec({**SPEC, **(changes or {})})
    sweep = Sweep.at(spec, runs)
    storage = sweep.prepare()
    sweep.freeze(storage, check_sizes(spec, sweep.cache.folder))
    studies = Multiplexer(make_plan(spec), storage)
    while (assignment := studies.next()) is not None:
        once = assignment.job.method == "oracle"
        studies.finish(assignment, answer(assignment.job, 1 if once else spec.unlearning.epochs))
    assert studies.done
    if outputs:
        write_outputs(sweep.record(), sweep.outputs)
    return sweep

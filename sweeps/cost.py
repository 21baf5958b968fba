"""What a plan will cost, before anything is started."""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.plan import Plan
from sweeps.resources import workers_of
from sweeps.sweep import Sweep
from unlearn.model_files import model_facts, model_files


@dataclass(frozen=True)
class Cost:
    """Samples passed forward and backward; seconds on so many workers, None where no speed is known."""

    samples: float
    seconds: float | None
    workers: int


def estimate(sweep: Sweep, plan: Plan, training_samples: int) -> Cost:
    """An upper estimate: every trial passes the training set once an epoch, and the forget set beside it."""
    spec = sweep.spec
    samples = 0.0
    for study in plan.studies:
        epochs = (
            spec.training.epochs
            if study.space is None
            else int(study.space.fixed.get("epochs", spec.unlearning.epochs))
        )
        beside = 0 if study.stage == "reference" else max(draw.size or 0 for draw in study.draws)
        samples += study.trials * epochs * (training_samples + beside)
    workers = workers_of(spec)
    speed = _seconds_per_sample(sweep)
    return Cost(samples, None if speed is None else speed * samples / workers, workers)


def _seconds_per_sample(sweep: Sweep) -> float | None:
    """From the cached models of this data set and architecture; the slowest counts."""
    spec, speeds = sweep.spec, []
    for facts in filter(None, map(model_facts, model_files(sweep.cache.models))):
        if (facts["dataset"], facts["model"], facts["model_options"]) == (
            spec.dataset.name, spec.model.name, spec.model.options,
        ):  # fmt: skip
            speeds += [facts["seconds"] / facts["samples"]] if facts["samples"] else []  # one that was given took none
    return max(speeds) if speeds else None

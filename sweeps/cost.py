"""What a plan will cost, before anything is started."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from sweeps.jobs.speed import Speed
from sweeps.plan import Plan, StudyPlan
from sweeps.resources import workers_of
from sweeps.spec import Sizes
from sweeps.spec.space import Space

#: What a trial takes beside passing images: what a worker waits for its next one, attacks, and writing it down.
TRIAL_SECONDS = 0.4
#: Until the first worker has begun, and for the report.
RUN_SECONDS = 25.0
#: What a trial takes in the storage (measured on digits: 8.4 kB).
TRIAL_BYTES = 10_000


@dataclass(frozen=True)
class Cost:
    """What a plan costs, or what is left of it.

    Attributes:
        samples: images passed forward and backward. passes: images passed forward only, for the metrics.
        models: references to train. trials: all others.
        seconds: on so many workers; None where no speed is known.
        disk: bytes of models and storage, decoded data apart; None likewise.
    """

    models: int
    trials: int
    samples: float
    passes: float
    workers: int
    seconds: float | None
    disk: float | None


def estimate(
    plan: Plan, sizes: Sizes, speed: Speed | None, left: Mapping[tuple[str, str, str], int] | None = None
) -> Cost:
    """An estimate: every trial passes the training images once an epoch, a batch of the forget set beside each of theirs where
    the method has such batches, and is measured on both (in a search on a part of the retain set, where one is asked for).

    Methods differ, so it is no more than that; all trials count as if they ran to their last epoch.

    Args:
        left: how many trials of each study are still to run; all of the plan by default.
    """
    samples = passes = 0.0
    models = trials = 0
    counts = plan.trials if left is None else left
    kept = 0
    for study in plan.studies:
        count = counts.get(study.key, 0)
        if study.stage == "reference":
            models += count
            samples += count * plan.spec.training.epochs * sizes.train
        else:
            trials += count
            kept += count * (study.stage == "evaluation" and study.unlearns and plan.spec.evaluation.keep_models)
            epochs, measured = _epochs(plan, study)
            samples += count * epochs * (sizes.train + _beside(study, sizes))
            passes += count * _passes(plan, study, sizes, measured)
    workers = workers_of(plan.spec)
    seconds = disk = None
    if speed is not None:
        of_images = speed.step * samples + speed.forward * passes
        seconds = RUN_SECONDS + (of_images + TRIAL_SECONDS * (models + trials)) / workers
        disk = float(speed.weights * (models + kept) + TRIAL_BYTES * (models + trials))
    return Cost(models, trials, samples, passes, workers, seconds, disk)


def _epochs(plan: Plan, study: StudyPlan) -> tuple[int, int]:
    """How many a trial runs for, and how many of them are measured."""
    assert study.space is not None
    if not study.unlearns:
        return 0, 1
    epochs = int(study.space.fixed.get("epochs", plan.spec.unlearning.epochs))
    return epochs, 1 if plan.spec.facts("methods", study.method).declared.get("one_epoch") else epochs


def _passes(plan: Plan, study: StudyPlan, sizes: Sizes, measured: int) -> float:
    """Images that a trial passes forward to measure so many epochs, in a search perhaps on a part of the retain set."""
    heldout = sizes.dev if study.scored_on == "dev" else sizes.test
    each = sizes.train + heldout
    part = plan.spec.search.retain_count if study.stage == "search" and measured > 1 else None
    if part is None:
        return measured * each
    forget = fmean(draw.size or 0 for draw in study.draws)
    less = max(sizes.train - forget - part, 0)
    return measured * (each - less) + (each if less else 0)  # once more, at the epoch that counts


def _beside(study: StudyPlan, sizes: Sizes) -> float:
    """Images of the forget set that go with an epoch's: of a method that takes batches of it, one with each step."""
    assert study.space is not None
    batch = _typical(study.space, "forget_batch_size")
    if batch is None:
        return 0.0
    steps = sizes.train / (_typical(study.space, "retain_batch_size") or sizes.train)
    return fmean(steps * min(batch, draw.size or math.inf) for draw in study.draws)


def _typical(space: Space, name: str) -> float | None:
    """A hyperparameter's fixed value, or the middle of its range on a log scale; None where the method has none such."""
    if name in space.fixed:
        return float(space.fixed[name])
    return next((math.sqrt(r.low * r.high) for r in space.ranges if r.name == name), None)

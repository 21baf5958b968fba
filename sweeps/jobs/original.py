"""Looks at an original that was trained elsewhere: how well it classifies the data, and whether it does at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sweeps.errors import Problem, SpecError
from sweeps.jobs.cache import Cache
from sweeps.jobs.guessing import frequent, guessing
from sweeps.jobs.precision import in_precision
from sweeps.jobs.worker import Worker
from sweeps.spec import Spec
from unlearn.errors import ModelError
from unlearn.metrics import SetOutputs

#: Of a class's images, the share from which on they are taken for another class on purpose.
MOSTLY = 0.5

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OriginalSeen:
    """Accuracies in per cent of an original on the training split and the test images."""

    weights: str
    train: float
    test: float

    def __str__(self) -> str:
        return (
            f"original {self.weights}: accuracy {self.train:.2f} % on training images, {self.test:.2f} % on test images"
        )


def look_at_original(spec: Spec, cache: Cache) -> OriginalSeen | None:
    """How well the original given classifies the data; None where the sweep trains its own.

    Raises:
        SpecError: its weights cannot be used, or do not classify these data.
    """
    if spec.original is None:
        return None
    return look_by(Worker(in_precision(spec, "float32") if spec.precision == "auto" else spec, cache))


def look_by(worker: Worker) -> OriginalSeen | None:
    """`look_at_original`, with a sweep's data that are loaded already."""
    spec, workspace = worker.spec, worker.workspace
    if spec.original is None:
        return None
    try:
        model = workspace.references.given.model
    except ModelError as error:
        raise SpecError(spec.name, [Problem("original.weights", str(error))]) from error
    train, test = workspace.part_outputs(model, "train"), workspace.part_outputs(model, "test")
    seen = OriginalSeen(spec.original.weights, train.accuracy, test.accuracy)
    reason = order_problem(confusion(train), workspace.data.class_names) or chance_problem(train, test)
    if reason:
        raise SpecError(spec.name, [Problem("original.weights", f"must classify the data, but {reason}", str(seen))])
    return seen


def confusion(outputs: SetOutputs) -> Counts:
    """(classes, classes): how many images of each true class got each prediction."""
    classes = outputs.logits.shape[1]
    pairs = outputs.labels * classes + outputs.predictions
    found: Counts = torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).cpu().numpy()
    return found


def order_problem(counts: Counts, names: Sequence[str]) -> str:
    """Why the classes seem to stand in another order: most images of each of some classes are taken for another of them."""
    answers = counts.argmax(1)
    shares = counts.max(1) / np.maximum(counts.sum(1), 1)
    moved = [c for c, to in enumerate(answers) if to != c and shares[c] > MOSTLY]
    if not moved or sorted(moved) != sorted(int(answers[c]) for c in moved):
        return ""
    pairs = ", ".join(f"{names[c]} for {names[answers[c]]}" for c in moved[:5])
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    return (
        f"it takes most images of {pairs}{more}: its classes stand in another order than the data's, "
        f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    )


def chance_problem(train: SetOutputs, test: SetOutputs) -> str:
    """Why the model only guesses: on training or on test images it is hardly better than the most frequent class."""
    for part, outputs in (("training", train), ("test", test)):
        if outputs.accuracy <= guessing(outputs.labels):
            alone = 100 * frequent(outputs.labels)
            return (
                f"on {part} images it is no better than guessing (the most frequent class alone gives {alone:.1f} %): "
                "see model.normalise, the channels' order, and that these are the weights"
            )
    return ""


__all__ = ["OriginalSeen", "look_at_original"]

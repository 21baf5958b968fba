"""Unlearns a request without an oracle, and measures the model before and after."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from torch import Tensor

from sweeps.objective import scrub_r_epoch
from sweeps.requests.choice import Configuration
from unlearn.errors import DivergedError
from unlearn.methods import Method
from unlearn.metrics import Outputs, measure
from unlearn.models import Classifier
from unlearn.registry import find
from unlearn.run import Epoch, unlearn_epochs
from unlearn.workspace import Task, Workspace

#: What can be measured of a model without an oracle.
FAMILIES = ("accuracy", "mia_loss", "mia_knn_forget")
#: How the measures are called where the held-out images are the test images.
NAMES = {"heldout_accuracy": "test_accuracy", "class_accuracy": "test_accuracy_of_classes"}


@dataclass(frozen=True)
class Served:
    """An unlearned model.

    Attributes:
        epoch: after how many epochs; 0 is the original model, which SCRUB-R's rule may choose.
        rule: how that epoch was chosen, in words.
        seconds: of the method's own work; samples: how many passed forward and backward; forward_samples: forward only.
    """

    model: Classifier
    epoch: int
    rule: str
    seconds: float
    samples: int
    forward_samples: int


def run_seed(seed: int, digest: str) -> int:
    """The seed of the run: a function of the sweep's seed and the images to forget."""
    return int.from_bytes(hashlib.sha256(f"{seed}/request/{digest}".encode()).digest()[:4], "little")


def serve(workspace: Workspace, task: Task, chosen: Configuration, seed: int) -> Served:
    """Unlearn a task by the configuration; no oracle is trained.

    Raises:
        DivergedError: the weights are no longer finite.
        ChangedError: the method has changed the data or the original.
    """
    method: Method = find("methods", chosen.method)(**chosen.hyperparameters)
    with closing(unlearn_epochs(workspace, task, method, seed)) as epochs:
        by_rule = method.epoch_rule == "scrub_r"
        served = _by_scrub_r(workspace, task, epochs) if by_rule else _at_stop(epochs, chosen, method)
    workspace.check_unchanged()
    return served


def measured(workspace: Workspace, model: Classifier, task: Task, epoch: int | None = None) -> dict[str, float]:
    """Accuracies and attacks in per cent, on the request's sets, the held-out images and the test images.

    Args:
        epoch: after how many epochs of a run; None of an original or oracle.

    Raises:
        DivergedError: the model's outputs are not finite, although its weights may be.
    """
    outputs, held_out = workspace.outputs(model, task), workspace.part_outputs(model, "validation", "dev")
    if not (outputs.finite and Outputs({"validation": held_out}).finite):
        raise DivergedError(epoch)
    values = measure(outputs, FAMILIES)
    values["validation_accuracy"] = held_out.accuracy
    return {NAMES.get(name, name): value for name, value in values.items()}


def _at_stop(epochs: Iterator[Epoch], chosen: Configuration, method: Method) -> Served:
    """The model at its stop epoch, or at the last one of a run that ends before it."""
    last = method.last_epoch
    for epoch in epochs:
        if not epoch.model.finite:
            raise DivergedError(epoch.number)
        if epoch.number == (chosen.stop_epoch or last):
            break
        seen = replace(epoch, model=copy.deepcopy(epoch.model))
    else:
        epoch = seen  # what a method does after its last epoch was not evaluated
    tuned = chosen.source in ("search", "confirmation")
    if method.one_epoch:  # an oracle's own `epochs` stand beside it
        rule = "the end of its run, all of which counts as one epoch"
    elif epoch.number == chosen.stop_epoch and (tuned or epoch.number < last):
        rule = f"the stop epoch that was {'tuned' if tuned else 'given'}"
    else:
        rule = "the last epoch"
    return _served(epoch, epoch.model, epoch.number, rule)


def _by_scrub_r(workspace: Workspace, task: Task, epochs: Iterator[Epoch]) -> Served:
    """SCRUB-R's own rule (see `scrub_r_epoch`), for which each epoch that may be chosen is kept in main memory."""
    curve, states = [], dict[float, dict[str, Tensor]]()
    for epoch in epochs:
        outputs = workspace.outputs(epoch.model, task, validation=True)
        if not (outputs.finite and epoch.model.finite):
            raise DivergedError(epoch.number)
        curve.append(measure(outputs, ["accuracy"]))
        accuracy = curve[-1]["forget_accuracy"]
        if accuracy not in states:
            states[accuracy] = {k: tensor.to("cpu", copy=True) for k, tensor in epoch.model.state_dict().items()}
    number = scrub_r_epoch(curve)
    model = workspace.load_model(states[curve[number]["forget_accuracy"]])
    return _served(
        epoch, model, number, "SCRUB-R's rule: forget error nearest to the final model's on validation images"
    )


def _served(last: Epoch, model: Classifier, number: int, rule: str) -> Served:
    data = last.data
    return Served(model.eval(), number, rule, last.seconds, data.served, data.forward_only)

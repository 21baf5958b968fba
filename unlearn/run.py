"""One unlearning run: a method edits the original model, and every epoch is measured against the oracle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from unlearn.errors import DivergedError
from unlearn.methods import Method, Streams
from unlearn.metrics import Outputs, gaps, measure
from unlearn.workspace import Task, Workspace

__all__ = ["Evaluation", "run_unlearning"]


@dataclass(frozen=True)
class Evaluation:
    """The unlearned model after one epoch.

    Attributes:
        epoch: 1-based.
        metrics: values of the unlearned model, their gaps to the oracle, `relative_run_time` and `relative_samples`.
        outputs: the model's outputs, from which costly metrics may still be taken by `measure`.
    """

    epoch: int
    metrics: dict[str, float]
    outputs: Outputs | None
    task: Task
    workspace: Workspace

    def without_outputs(self) -> Evaluation:
        """The same without the arrays, to be kept."""
        return replace(self, outputs=None)

    def measure(self, families: Sequence[str]) -> dict[str, float]:
        """Values and gaps of further metric families, for the best epoch only, say."""
        if not families:
            return {}
        if self.outputs is None:
            raise ValueError("an evaluation without outputs cannot be measured again")
        oracle = self.workspace.oracle_metrics(self.task, families)
        values = measure(self.outputs, families)
        return values | gaps(values, oracle)


def run_unlearning(
    workspace: Workspace,
    task: Task,
    method: Method,
    seed: int,
    families: Sequence[str] = ("accuracy", "mia_loss"),
) -> Iterator[Evaluation]:
    """Unlearn `task` with `method`, yielding one evaluation per epoch.

    The run is a function of its arguments: the same ones give the same weights on the same machine. Seconds count the
    method's work only, not the evaluation; samples count what passed forward and backward.

    Raises:
        DivergedError: the model's outputs are no longer finite.
    """
    oracle = workspace.oracle(task)
    model = workspace.load_model(workspace.original(task).model.state_dict())
    data = workspace.unlearning_data(task)
    epochs = method.unlearn(model, data, Streams(seed))
    seconds, epoch = 0.0, 0
    while True:
        started = time.perf_counter()
        with workspace.arithmetic(), torch.random.fork_rng(devices=[]):
            if next(epochs, epochs) is epochs:
                return
        workspace.synchronize()
        seconds += time.perf_counter() - started
        epoch += 1
        outputs = workspace.outputs(model, task)
        if not all(torch.isfinite(part.logits).all() for part in outputs.sets.values()):
            raise DivergedError(epoch)
        values = measure(outputs, families)
        cost = {
            "relative_run_time": seconds / oracle.cost.seconds,
            "relative_samples": data.served / oracle.cost.samples,
        }
        relative = gaps(values, workspace.oracle_metrics(task, families))
        yield Evaluation(epoch, values | relative | cost, outputs, task, workspace)

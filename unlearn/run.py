"""One unlearning run: a method edits the original model, and every epoch is measured against the oracle."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace

from torch import Tensor

from unlearn.errors import DivergedError, UnlearnError
from unlearn.gaps import Measures
from unlearn.methods import Method, Streams, UnlearningData
from unlearn.metrics import Outputs, gaps, measure
from unlearn.models import Classifier
from unlearn.switches import Switches, isolated
from unlearn.workspace import Task, Workspace

__all__ = ["Epoch", "Evaluation", "Snapshot", "run_unlearning", "unlearn_epochs"]


@dataclass(frozen=True)
class Snapshot:
    """An epoch of a run that has gone on: its metrics, and the model's weights as they were."""

    epoch: int
    metrics: dict[str, float]
    state: dict[str, Tensor]


@dataclass(frozen=True)
class Evaluation:
    """The unlearned model after one epoch.

    Attributes:
        epoch: 1-based; 0 is the original model.
        metrics: values of the unlearned model, their gaps to the mean values of the task's oracles, and costs so far relative to
            their training: `relative_samples`, `relative_forward_samples`, and `relative_run_time` unless all oracles were
            trained on another host or device, or repeated steps by CUDA graphs where these are not, or the other way round.
        outputs: the model's outputs, from which costly metrics may still be taken by `measure`.
        samples: how many passed forward and backward so far.
        forward_samples: how many passed forward only (teachers, for instance).
        model: the model itself, which the next epoch goes on to change; `kept` gives an evaluation that owns a copy.
        families: the metric families that were measured.
        retain_samples: on how many of the retain set; None: on all. `whole` measures the same model on all.
    """

    epoch: int
    metrics: dict[str, float]
    outputs: Outputs
    model: Classifier
    samples: int
    forward_samples: int
    task: Task
    workspace: Workspace
    families: tuple[str, ...] = ()
    retain_samples: int | None = None

    def kept(self) -> Evaluation:
        """The same with a copy of the model, which stays as it is now."""
        return replace(self, model=copy.deepcopy(self.model))

    def snapshot(self) -> Snapshot:
        """What is needed to come back to this epoch later, in main memory."""
        state = {name: tensor.to("cpu", copy=True) for name, tensor in self.model.state_dict().items()}
        return Snapshot(self.epoch, self.metrics, state)

    def at(self, snapshot: Snapshot) -> Evaluation:
        """The evaluation of an earlier epoch of this run, on all retain samples: its model again, and the outputs of it."""
        model = self.workspace.load_model(snapshot.state)
        there = replace(self, epoch=snapshot.epoch, metrics=snapshot.metrics, model=model)
        if self.retain_samples is not None:
            return there.whole()
        return replace(there, outputs=self.workspace.outputs(model, self.task))

    def whole(self) -> Evaluation:
        """The same model measured on all retain samples: itself where it was, else by one more pass.

        Raises:
            DivergedError: its outputs are not finite on all of them.
            MetricError: a metric is not finite although they are.
        """
        if self.retain_samples is None:
            return self
        outputs = self.workspace.outputs(self.model, self.task, validation="validation" in self.outputs)
        if not outputs.finite:
            raise DivergedError(self.epoch)
        values = measure(outputs, self.families)
        relative = gaps(values, self.workspace.oracle_metrics(self.task, self.families))
        costs = {name: self.metrics[name] for name in Measures().family("cost", self.metrics)}
        return replace(self, metrics=values | relative | costs, outputs=outputs, retain_samples=None)

    def measure(self, families: Sequence[str]) -> dict[str, float]:
        """Values and gaps of further metric families, for the best epoch only, say."""
        families = [family for family in families if family not in self.families]
        if not families:
            return {}
        values = measure(self.outputs, families, taken=self.metrics)
        relative = gaps(values, self.workspace.oracle_metrics(self.task, families))
        distances = self.workspace.oracle_distances(self.model, self.task, families, taken=self.metrics | values)
        return values | relative | distances


@dataclass(frozen=True)
class Epoch:
    """The model after one epoch of a run, before anything is measured.

    Attributes:
        number: 1-based; 0 is the original model.
        model: which the next epoch goes on to change.
        data: the samples that the method has, with what was served of them.
        seconds: of the method's work so far.
    """

    number: int
    model: Classifier
    data: UnlearningData
    seconds: float


def unlearn_epochs(workspace: Workspace, task: Task, method: Method, seed: int) -> Generator[Epoch]:
    """Unlearn `task` with `method`, without an oracle: the original model first, then each epoch's.

    The run is a function of its arguments: the same ones give the same weights on the same machine. A method has the
    process-wide switches to itself, global generators seeded by `seed`; between its epochs they are ours again.

    Raises:
        UnlearnError: SCRUB-R's rule lacks validation images.
    """
    model = workspace.load_model(workspace.original(task).model.state_dict())
    data = workspace.unlearning_data(task, method)
    if method.epoch_rule == "scrub_r" and not len(workspace.task_data(task).validation_alike):
        raise UnlearnError("SCRUB-R's rule must have validation images of the forget set's classes, and there are none")
    streams, seconds, number = Streams(seed), 0.0, 0
    with closing(_Steps(lambda: method.unlearn(model, data, streams), streams.integer("global"))) as steps:
        while True:
            yield Epoch(number, model, data, seconds)
            started = time.perf_counter()
            data.begin_epoch()
            if not steps.take(workspace.arithmetic()):
                return
            workspace.synchronize()
            seconds += time.perf_counter() - started
            number += 1


def run_unlearning(
    workspace: Workspace,
    task: Task,
    method: Method,
    seed: int,
    families: Sequence[str] = ("accuracy", "mia_loss"),
    *,
    retain_samples: int | None = None,
) -> Iterator[Evaluation]:
    """Unlearn `task` with `method` (see `unlearn_epochs`), yielding one evaluation per epoch.

    Seconds count the method's work only, not the evaluation; samples count what passed forward and backward, forward-only
    passes apart. A method whose epoch is chosen by SCRUB-R's rule is evaluated before its first epoch too (epoch 0), and on
    validation images.

    Args:
        retain_samples: on how many of the retain set each epoch is measured, the same ones for every method and for the oracles
            that gaps are to; None, or as many as there are: on all.

    Raises:
        DivergedError: the model's weights or outputs are no longer finite.
        MetricError: a metric is not finite although they are.
        UnlearnError: SCRUB-R's rule lacks validation images.
    """
    retraining = workspace.retraining(task)
    if retain_samples is not None and retain_samples >= len(workspace.task_data(task).retain):
        retain_samples = None
    oracle_metrics = workspace.oracle_metrics(task, families, retain_samples)
    scrub_r = method.epoch_rule == "scrub_r"

    def evaluate(epoch: Epoch) -> Evaluation:
        model, data = epoch.model, epoch.data
        outputs = workspace.outputs(model, task, validation=scrub_r, retain_samples=retain_samples)
        if not (outputs.finite and model.finite):
            raise DivergedError(epoch.number, data.served)
        values = measure(outputs, families)
        cost = {
            **({} if retraining.seconds is None else {"relative_run_time": epoch.seconds / retraining.seconds}),
            "relative_samples": data.served / retraining.samples,
            "relative_forward_samples": data.forward_only / retraining.samples,
        }
        return Evaluation(
            epoch.number,
            values | gaps(values, oracle_metrics) | cost,
            outputs,
            model,
            data.served,
            data.forward_only,
            task,
            workspace,
            tuple(families),
            retain_samples,
        )

    with closing(unlearn_epochs(workspace, task, method, seed)) as epochs:
        for epoch in epochs:
            if epoch.number or scrub_r:
                yield evaluate(epoch)


class _Steps:
    """The epochs of a method, each under the process-wide switches that the method itself has left; ours return after each."""

    def __init__(self, start: Callable[[], Iterator[None]], seed: int) -> None:
        self._start, self._seed = start, seed
        self._epochs: Iterator[None] | None = None
        self._own: Switches | None = None

    def take(self, arithmetic: AbstractContextManager[None]) -> bool:
        """Run one epoch under `arithmetic`; whether there was one."""
        with isolated(self._seed), arithmetic:
            if self._own is not None:
                self._own.restore()
            if self._epochs is None:
                self._epochs = self._start()
            there_was = next(self._epochs, self._epochs) is not self._epochs
            self._own = Switches.now()
        return there_was

    def close(self) -> None:
        """Let a generator clean up now, and not whenever it is collected."""
        with isolated(self._seed):
            if isinstance(self._epochs, Generator):
                self._epochs.close()

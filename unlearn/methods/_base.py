"""What a method is: a frozen record of hyperparameters, and a generator that edits a model in place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, Literal
from weakref import WeakSet

import torch
from torch import Tensor, nn

from unlearn.graphs import Recorder, Step
from unlearn.models import Classifier
from unlearn.steps import SGD, Batches, Bounds, Count, Rate, Streams, Weight

#: Hyperparameters of every method, none of which is read by one that does not train.
OF_TRAINING = ("lr", "lr_decay_epoch", "epochs", "momentum", "weight_decay", "retain_batch_size")


@dataclass
class UnlearningData:
    """What a method may see: the retain, forget and validation samples, and the frozen original model.

    The sets share one pool of images and labels. `original` is in eval mode and needs no gradients. `new_model(seed)` gives a
    freshly initialised network of the same architecture, in train mode. With a `recorder` a device may repeat the steps of `step`
    by itself; whoever runs a method calls `begin_epoch` before each epoch of it.
    """

    retain: Batches
    forget: Batches
    validation: Batches
    original: Classifier
    new_model: Callable[[int], Classifier]
    recorder: Recorder | None = None
    _steps: WeakSet[Step] = field(default_factory=WeakSet, init=False)

    def step(
        self,
        model: Classifier,
        optimizer: SGD | torch.optim.Optimizer,
        loss: Callable[..., Tensor] | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> Step:
        """The gradient step on `loss` as a function of a batch: see `unlearn.graphs.Step`."""
        step = Step(model, optimizer, loss, after=after, recorder=self.recorder)
        self._steps.add(step)
        return step

    def begin_epoch(self) -> None:
        """Tell all steps so."""
        for step in self._steps:
            step.begin_epoch()

    @cached_property
    def device(self) -> torch.device:
        return self.retain.index.device

    @property
    def served(self) -> int:
        """Samples passed forward and backward so far, over all sets."""
        return self.retain.served + self.forget.served + self.validation.served

    @property
    def forward_only(self) -> int:
        """Samples passed forward only so far, over all sets."""
        return self.retain.forward_only + self.forget.forward_only + self.validation.forward_only


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """Base of all unlearning methods: SGD with one step-wise learning-rate decay (the paper's Appendix G).

    Attributes:
        lr: learning rate; it is multiplied by 0.1 after `lr_decay_epoch` epochs.
        epochs: passes over the retain set, unless the method says otherwise.
        retain_batch_size: samples a step from the retain set.
    """

    #: Hyperparameters a search tunes; every one of them changes the result.
    searched: ClassVar[tuple[str, ...]] = ("lr", "lr_decay_epoch")
    #: Hyperparameters that its `unlearn` does not read; a sweep file that gives one is refused.
    unread: ClassVar[tuple[str, ...]] = ()
    #: How the reported epoch is chosen: the least objective, or SCRUB-R's rule, for which epoch 0 counts too.
    epoch_rule: ClassVar[Literal["objective", "scrub_r"]] = "objective"
    #: Whether `unlearn` yields once, whatever `epochs` is.
    one_epoch: ClassVar[bool] = False

    lr: Rate = 0.01
    lr_decay_epoch: Count = 10
    epochs: Count = 20
    momentum: Annotated[float, Bounds(0.0, 0.999)] = 0.9
    weight_decay: Annotated[float, Bounds(0.0, 1.0)] = 5e-4
    retain_batch_size: Count = 256

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "unlearn" in vars(cls) and "unread" not in vars(cls):
            cls.unread = ()  # what its base does not read, an `unlearn` of its own may

    @abstractmethod
    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        """Edit `model` in place, yielding after each epoch; at a yield the model has its own architecture."""

    @property
    def last_epoch(self) -> int:
        """How often `unlearn` yields."""
        return 1 if self.one_epoch else self.epochs

    def optimizer(self, *modules: nn.Module) -> SGD:
        """SGD over all parameters of `modules`, with this method's hyperparameters; any optimizer of torch does as well."""
        parameters = [p for module in modules for p in module.parameters()]
        return SGD(parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def passes(self, optimizer: SGD | torch.optim.Optimizer) -> Iterator[int]:
        """Epoch numbers from 0, with the learning rate set for each."""
        for epoch in range(self.epochs):
            decayed = self.lr * 0.1 if epoch >= self.lr_decay_epoch else self.lr
            for group in optimizer.param_groups:
                group["lr"] = decayed
            yield epoch


@dataclass(frozen=True, kw_only=True)
class ForgetMethod(Method):
    """Base of the methods that read the forget set in batches of `forget_batch_size`."""

    searched: ClassVar[tuple[str, ...]] = ("lr", "forget_batch_size", "lr_decay_epoch")

    forget_batch_size: Count = 64


@dataclass(frozen=True, kw_only=True)
class WeightedMethod(ForgetMethod):
    """Base of the methods that weigh the retain loss by α and the forget loss by 1 − α."""

    searched: ClassVar[tuple[str, ...]] = ("lr", "alpha", "forget_batch_size", "lr_decay_epoch")

    alpha: Weight = 0.9

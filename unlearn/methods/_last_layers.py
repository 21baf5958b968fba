"""Methods that train the last k layers and freeze the rest (Goel et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from unlearn.methods._base import Method, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Count, Streams


@dataclass(frozen=True, kw_only=True)
class LastLayersMethod(Method):
    """Base of the methods that minimise CE(D_r) over the last `k` layers; a frozen layer keeps its batch statistics too.

    Attributes:
        k: layers trained, counted from the output; all of them where the network has fewer.
    """

    searched: ClassVar[tuple[str, ...]] = ("lr", "k", "retain_batch_size", "lr_decay_epoch")

    k: Count = 3

    def train_last_layers(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        """FineTune with all but the last `k` layers frozen."""
        shuffle = rng.generator("retain")
        with frozen_but_last(model, self.k) as frozen:
            optimizer = self.optimizer(model)
            step = data.step(model, optimizer)
            for _ in self.passes(optimizer):
                model.train()
                for module in frozen:
                    module.training = False  # not eval(), which would reach the children too
                for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                    step(x, y)
                yield


def layers(model: nn.Module) -> list[list[nn.Module]]:
    """The layers of `model` from input to output, each as the modules that own its tensors, in registration order.

    A layer starts at a module with a weight of two or more dimensions (convolution, linear, attention, embedding); modules
    that own vectors or statistics only (normalisation) belong to the layer before them, or to the first. This is how the
    authors' code counts.
    """
    found: list[list[nn.Module]] = []
    before: list[nn.Module] = []
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if any(p.ndim > 1 for p in own) or (own and not found):
            found.append([module])
        elif own or (module is not model and any(True for _ in module.buffers(recurse=False))):
            (found[-1] if found else before).append(module)
    found[:1] = [[*before, *first] for first in found[:1]]
    return found


def last_modules(model: nn.Module, k: int) -> list[nn.Module]:
    """The modules of the last `k` layers."""
    return [module for layer in layers(model)[-k:] for module in layer]


@contextmanager
def frozen_but_last(model: nn.Module, k: int) -> Iterator[list[nn.Module]]:
    """Within, only the last `k` layers need gradients; gives the modules of the others."""
    frozen = [module for layer in layers(model)[:-k] for module in layer]
    parameters = [p for module in frozen for p in module.parameters(recurse=False) if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield frozen
    finally:
        for p in parameters:
            p.requires_grad_(True)


def reset_last(model: nn.Module, fresh: nn.Module, k: int) -> None:
    """Give the last `k` layers of `model` the parameters and buffers that they have in `fresh`; what is frozen stays."""
    with torch.no_grad():
        for module, source in zip(last_modules(model, k), last_modules(fresh, k), strict=True):
            for name, parameter in source.named_parameters(recurse=False):
                if module.get_parameter(name).requires_grad:
                    module.get_parameter(name).copy_(parameter)
            for name, buffer in source.named_buffers(recurse=False):
                module.get_buffer(name).copy_(buffer)

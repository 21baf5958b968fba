"""The supervised loop that makes originals and oracles: SGD with step-wise decay, data resident on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn import functional as F

from unlearn.models import Classifier
from unlearn.steps import Batches, Bounds, Count, Rate, descend

__all__ = ["Recipe", "train"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an original or an oracle is trained; the defaults are the paper's (Section 5.1), without augmentation.

    Attributes:
        milestones: epochs after which the learning rate is multiplied by 0.1.
    """

    epochs: Count = 150
    lr: Rate = 0.01
    momentum: Annotated[float, Bounds(0.0, 0.999)] = 0.9
    weight_decay: Annotated[float, Bounds(0.0, 1.0)] = 5e-4
    batch_size: Count = 256
    milestones: tuple[int, ...] = (80,)


def train(model: Classifier, batches: Batches, recipe: Recipe, shuffle: torch.Generator) -> Iterator[int]:
    """Train `model` in place on `batches`, yielding the number of epochs done after each."""
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    for epoch in range(recipe.epochs):
        decays = sum(epoch >= milestone for milestone in recipe.milestones)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * 0.1**decays
        model.train()
        for x, y in batches.epoch(recipe.batch_size, shuffle):
            descend(optimizer, F.cross_entropy(model(x), y))
        yield epoch + 1

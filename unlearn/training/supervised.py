"""The supervised loop that makes originals and oracles: SGD with step-wise decay, data resident on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearn.graphs import Recorder, Step
from unlearn.models import Classifier
from unlearn.steps import SGD, Batches, Bounds, Count, Rate, on_device

__all__ = ["Augmentation", "Recipe", "flip_crop", "train"]

Augmentation = Literal["flip_crop"]
#: Black pixels that are added on every side before an image is cut back to its size.
PADDING = 4


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an original or an oracle is trained; the defaults are the paper's (Section 5.1), without augmentation.

    Attributes:
        milestones: epochs after which the learning rate is multiplied by 0.1.
        augment: `flip_crop` (see there), drawn anew for every image and epoch; None leaves the images as they are.
    """

    epochs: Count = 150
    lr: Rate = 0.01
    momentum: Annotated[float, Bounds(0.0, 0.999)] = 0.9
    weight_decay: Annotated[float, Bounds(0.0, 1.0)] = 5e-4
    batch_size: Count = 256
    milestones: tuple[int, ...] = (80,)
    augment: Augmentation | None = None


def train(
    model: Classifier, batches: Batches, recipe: Recipe, shuffle: torch.Generator, recorder: Recorder | None = None
) -> Iterator[int]:
    """Train `model` in place on `batches`, yielding the number of epochs done after each."""
    optimizer = SGD(model.parameters(), lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    step = Step(model, optimizer, recorder=recorder)
    for epoch in range(recipe.epochs):
        decays = sum(epoch >= milestone for milestone in recipe.milestones)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * 0.1**decays
        model.train()
        step.begin_epoch()
        for x, y in batches.epoch(recipe.batch_size, shuffle):
            step(x if recipe.augment is None else flip_crop(x, shuffle), y)
        yield epoch + 1


def flip_crop(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mirror every other image, and cut each at random out of itself with `PADDING` black pixels round it (He et al., 2016).

    Args:
        images: pixels before any normalisation, shape (N, C, H, W).
    """
    n, _, height, width = images.shape
    device = images.device
    mirrored = on_device(torch.rand(n, generator=rng) < 0.5, device)
    top, left = on_device(torch.randint(0, 2 * PADDING + 1, (2, n), generator=rng), device)
    flipped = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    padded = F.pad(flipped, (PADDING,) * 4)
    rows = (top[:, None] + torch.arange(height, device=device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width, device=device))[:, None, None, :]
    image = torch.arange(n, device=device)[:, None, None, None]
    channel = torch.arange(images.shape[1], device=device)[None, :, None, None]
    return padded[image, channel, rows, columns]

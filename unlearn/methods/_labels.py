"""Wrong labels for the forget set."""

from __future__ import annotations

import torch
from torch import Tensor

from unlearn.steps import Batches, on_device


def with_wrong_labels(forget: Batches, num_classes: int, rng: torch.Generator) -> Tensor:
    """The pool's labels, shape (N,), with each one of `forget` redrawn uniformly from the other classes."""
    labels = forget.labels.clone()
    shift = on_device(torch.randint(1, num_classes, forget.index.shape, generator=rng), labels.device)
    labels[forget.index] = (labels[forget.index] + shift) % num_classes
    return labels

"""L1-sparse: train on with the retain set under a fading L1 penalty (Jia et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import Method, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Streams, Weight

__all__ = ["L1Sparse"]


@dataclass(frozen=True, kw_only=True)
class L1Sparse(Method):
    """Minimise CE(D_r) + α_t·‖θ‖₁ over all parameters θ, with α_t = α·(1 − t/epochs) in epoch t = 0, 1, ….

    The paper's "fbatch size" of this method can only be the retain batch size.

    Attributes:
        alpha: weight of the penalty at the start; not the retain weight that other methods call α.
    """

    searched: ClassVar[tuple[str, ...]] = ("lr", "alpha", "retain_batch_size", "lr_decay_epoch")

    alpha: Weight = 1e-4

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle = rng.generator("retain")

        def loss(x: Tensor, y: Tensor, alpha: Tensor) -> Tensor:
            norm = torch.cat([p.flatten() for p in model.parameters()]).abs().sum()
            return F.cross_entropy(model(x), y) + alpha * norm

        step = data.step(model, optimizer, loss)
        for epoch in self.passes(optimizer):
            model.train()
            alpha = model.head.weight.new_full((), self.alpha * (1 - epoch / self.epochs))
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y, alpha)
            yield

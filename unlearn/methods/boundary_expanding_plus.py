"""Boundary Expanding with a retain term, which keeps it stable (Chen et al., 2023; the source paper's BE+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import UnlearningData, WeightedMethod
from unlearn.methods._boundary import expanded_logits, expanding_loss
from unlearn.methods._linear import fresh_linear
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["BoundaryExpandingPlus"]


@dataclass(frozen=True, kw_only=True)
class BoundaryExpandingPlus(WeightedMethod):
    """Minimise α·CE(D_r) + (1 − α)·CE(D_f → class C), both under a head widened to C + 1 classes."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        new_class = fresh_linear(model.feature_dim, 1, rng.generator("new_class")).to(model.head.weight)
        optimizer = self.optimizer(model, new_class)
        shuffle = rng.generator("retain")
        forget = data.forget.cycle(self.forget_batch_size, rng.generator("forget"))

        def loss(x: Tensor, y: Tensor, x_f: Tensor) -> Tensor:
            retain_loss = F.cross_entropy(expanded_logits(model, new_class, x), y)
            return self.alpha * retain_loss + (1 - self.alpha) * expanding_loss(model, new_class, x_f)

        step = data.step(model, optimizer, loss)
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y, next(forget)[0])
            yield

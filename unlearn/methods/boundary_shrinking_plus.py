"""Boundary Shrinking with a retain term, which keeps it stable (Chen et al., 2023; the source paper's BS+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import UnlearningData, WeightedMethod
from unlearn.methods._boundary import with_nearest_classes
from unlearn.models import Classifier
from unlearn.steps import Streams, Weight

__all__ = ["BoundaryShrinkingPlus"]


@dataclass(frozen=True, kw_only=True)
class BoundaryShrinkingPlus(WeightedMethod):
    """Minimise α·CE(D_r) + (1 − α)·CE(D_f → nearest other class).

    Attributes:
        epsilon: length of the step across the boundary, in pixels of [0, 1].
    """

    epsilon: Weight = 0.1

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle = rng.generator("retain")
        forget = data.forget.cycle_rows(self.forget_batch_size, rng.generator("forget"))
        nearest = with_nearest_classes(data, self.epsilon)

        def loss(x: Tensor, y: Tensor, x_f: Tensor, y_f: Tensor) -> Tensor:
            retain_loss, forget_loss = F.cross_entropy(model(x), y), F.cross_entropy(model(x_f), y_f)
            return self.alpha * retain_loss + (1 - self.alpha) * forget_loss

        step = data.step(model, optimizer, loss)
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                rows = next(forget)
                step(x, y, data.forget.images[rows], nearest[rows])
            yield

"""NegGrad+: descend on the retain set while ascending on the forget set (Kurmanji et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import UnlearningData, WeightedMethod
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["NegGradPlus"]


@dataclass(frozen=True, kw_only=True)
class NegGradPlus(WeightedMethod):
    """Minimise α·CE(D_r) − (1 − α)·CE(D_f)."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle = rng.generator("retain")
        forget = data.forget.cycle(self.forget_batch_size, rng.generator("forget"))

        def loss(x: Tensor, y: Tensor, x_f: Tensor, y_f: Tensor) -> Tensor:
            retain_loss, forget_loss = F.cross_entropy(model(x), y), F.cross_entropy(model(x_f), y_f)
            return self.alpha * retain_loss - (1 - self.alpha) * forget_loss

        step = data.step(model, optimizer, loss)
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y, *next(forget))
            yield

"""NegGrad: ascend on the forget set alone (Golatkar et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch.nn import functional as F

from unlearn.methods._base import ForgetMethod, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["NegGrad"]


@dataclass(frozen=True, kw_only=True)
class NegGrad(ForgetMethod):
    """Minimise −CE(D_f). It reads no retain data, so an epoch is one pass over D_f."""

    unread: ClassVar[tuple[str, ...]] = ("retain_batch_size",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        step = data.step(model, optimizer, lambda x, y: -F.cross_entropy(model(x), y))
        shuffle = rng.generator("forget")
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.forget.epoch(self.forget_batch_size, shuffle):
                step(x, y)
            yield

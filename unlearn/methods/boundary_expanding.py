"""Boundary Expanding: move the forget set into a class of its own, then drop that class (Chen et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unlearn.methods._base import ForgetMethod, UnlearningData
from unlearn.methods._boundary import expanding_loss
from unlearn.methods._linear import fresh_linear
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["BoundaryExpanding"]


@dataclass(frozen=True, kw_only=True)
class BoundaryExpanding(ForgetMethod):
    """Minimise CE(D_f → class C) under a head widened to C + 1 classes. An epoch is one pass over D_f."""

    unread: ClassVar[tuple[str, ...]] = ("retain_batch_size",)

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        new_class = fresh_linear(model.feature_dim, 1, rng.generator("new_class")).to(model.head.weight)
        optimizer = self.optimizer(model, new_class)
        step = data.step(model, optimizer, lambda x: expanding_loss(model, new_class, x))
        shuffle = rng.generator("forget")
        for _ in self.passes(optimizer):
            model.train()
            for x, _ in data.forget.epoch(self.forget_batch_size, shuffle):
                step(x)
            yield

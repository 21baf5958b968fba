"""Boundary Shrinking: give each forget sample to the nearest other class (Chen et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unlearn.methods._base import ForgetMethod, UnlearningData
from unlearn.methods._boundary import with_nearest_classes
from unlearn.models import Classifier
from unlearn.steps import Streams, Weight

__all__ = ["BoundaryShrinking"]


@dataclass(frozen=True, kw_only=True)
class BoundaryShrinking(ForgetMethod):
    """Minimise CE(D_f → nearest other class). An epoch is one pass over D_f.

    Attributes:
        epsilon: length of the step across the boundary, in pixels of [0, 1].
    """

    unread: ClassVar[tuple[str, ...]] = ("retain_batch_size",)

    epsilon: Weight = 0.1

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        step = data.step(model, optimizer)
        shuffle = rng.generator("forget")
        nearest = with_nearest_classes(data, self.epsilon)
        for _ in self.passes(optimizer):
            model.train()
            for rows in data.forget.rows(self.forget_batch_size, shuffle):
                step(data.forget.images[rows], nearest[rows])
            yield

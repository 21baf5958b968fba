"""FineTune: train on with the retain set alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unlearn.methods._base import Method, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["FineTune"]


@dataclass(frozen=True, kw_only=True)
class FineTune(Method):
    """Minimise CE(D_r). The paper's "fbatch size" of this method can only be the retain batch size."""

    searched: ClassVar[tuple[str, ...]] = ("lr", "retain_batch_size", "lr_decay_epoch")

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        step = data.step(model, optimizer)
        shuffle = rng.generator("retain")
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y)
            yield

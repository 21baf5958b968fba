"""CF-k: let the last k layers forget by training on with the retain set (Goel et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from unlearn.methods._base import UnlearningData
from unlearn.methods._last_layers import LastLayersMethod
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["CFk"]


@dataclass(frozen=True, kw_only=True)
class CFk(LastLayersMethod):
    """Catastrophic forgetting of the last k layers: minimise CE(D_r) over them, the others frozen."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        return self.train_last_layers(model, data, rng)

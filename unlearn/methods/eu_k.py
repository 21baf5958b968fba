"""EU-k: retrain the last k layers from scratch on the retain set (Goel et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from unlearn.methods._base import UnlearningData
from unlearn.methods._last_layers import LastLayersMethod, reset_last
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["EUk"]


@dataclass(frozen=True, kw_only=True)
class EUk(LastLayersMethod):
    """Exact unlearning of the last k layers: draw them afresh, then minimise CE(D_r) over them, the others frozen."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        reset_last(model, data.new_model(rng.integer("model")), self.k)
        yield from self.train_last_layers(model, data, rng)

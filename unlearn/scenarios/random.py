"""Forget samples drawn uniformly from the training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearn.data import Indices, Labels, Pixels
from unlearn.scenarios._base import ForgetSet, Scenario, choose, stream

__all__ = ["RandomSamples"]


@dataclass(frozen=True)
class RandomSamples(Scenario):
    """Uniform over the training set; at least one sample must stay to be retained."""

    def limit(self, labels: Labels) -> int:
        return len(labels) - 1

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        self.check_size(size, labels)
        return ForgetSet(choose(np.arange(len(labels)), size, stream(size, seed, avoid), avoid))

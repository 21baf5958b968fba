"""Forget one class altogether."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unlearn.data import Labels, Pixels
from unlearn.scenarios._base import ForgetSet, Scenario

__all__ = ["FullClass"]


@dataclass(frozen=True)
class FullClass(Scenario):
    """Every training sample of `target_class` (class 5, as in the partial scenario); the seed changes nothing."""

    of_class: ClassVar[bool] = True
    sized: ClassVar[bool] = False
    target_class: int = 5

    def limit(self, labels: Labels) -> int:
        return int((labels == self.target_class).sum())

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        self.check_size(size, labels)
        return ForgetSet(np.flatnonzero(labels == self.target_class), classes=(self.target_class,))

"""Forget some samples of one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unlearn.data import Labels, Pixels
from unlearn.scenarios._base import ForgetSet, Scenario, choose

__all__ = ["PartialClass"]


@dataclass(frozen=True)
class PartialClass(Scenario):
    """Uniform over the training samples of `target_class` (class 5 in the paper)."""

    of_class: ClassVar[bool] = True
    target_class: int = 5

    def limit(self, labels: Labels) -> int:
        return int((labels == self.target_class).sum())

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        self.check_size(size, labels)
        of_class = np.flatnonzero(labels == self.target_class)
        return ForgetSet(choose(of_class, size, seed), classes=(self.target_class,))

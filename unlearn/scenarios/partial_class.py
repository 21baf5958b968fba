"""Forget some samples of one class."""

from __future__ import annotations

from dataclasses import dataclass

from unlearn.data import Indices, Labels, Pixels
from unlearn.scenarios._base import ForgetSet, choose, position, stream
from unlearn.scenarios._of_class import OfClass

__all__ = ["PartialClass"]


@dataclass(frozen=True)
class PartialClass(OfClass):
    """Uniform over the training samples of `target_class`, a name or a position (class 5 in the paper)."""

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        self.check_size(size, labels)
        chosen = choose(self.candidates(labels), size, stream(size, seed, avoid), avoid)
        return ForgetSet(chosen, classes=(position(self.target_class),))

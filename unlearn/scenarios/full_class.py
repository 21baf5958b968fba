"""Forget one class altogether."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unlearn.data import Indices, Labels, Pixels
from unlearn.scenarios._base import ForgetSet, position
from unlearn.scenarios._of_class import OfClass

__all__ = ["FullClass"]


@dataclass(frozen=True)
class FullClass(OfClass):
    """Every training sample of `target_class`, a name or a position (5, as in the partial one); the seed changes nothing."""

    sized: ClassVar[bool] = False
    draws_vary: ClassVar[bool] = False

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        self.check_size(size, labels)
        return ForgetSet(self.candidates(labels), classes=(position(self.target_class),))

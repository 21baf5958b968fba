"""Forget one class altogether."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from unlearn.data import ClassName, Labels, Pixels
from unlearn.scenarios._base import ForgetSet, Scenario, position, positions

__all__ = ["FullClass"]


@dataclass(frozen=True)
class FullClass(Scenario):
    """Every training sample of `target_class`, a name or a position (5, as in the partial one); the seed changes nothing."""

    of_class: ClassVar[bool] = True
    sized: ClassVar[bool] = False
    target_class: ClassName = 5

    @property
    def forget_classes(self) -> tuple[ClassName, ...]:
        return (self.target_class,)

    def resolved(self, class_names: Sequence[str]) -> Self:
        return replace(self, target_class=positions("target_class", self.forget_classes, class_names)[0])

    def limit(self, labels: Labels) -> int:
        return int((labels == position(self.target_class)).sum())

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        self.check_size(size, labels)
        return ForgetSet(np.flatnonzero(labels == position(self.target_class)), classes=(position(self.target_class),))

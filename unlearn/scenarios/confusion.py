"""Resolve the confusion of two classes: forget samples that the original model learnt under the other's label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from unlearn.data import ClassName, Indices, Labels, Pixels
from unlearn.errors import UnlearnError
from unlearn.scenarios._base import ForgetSet, Scenario, choose, position, positions, stream

__all__ = ["Confusion"]


@dataclass(frozen=True)
class Confusion(Scenario):
    """`fraction` of each of two classes' training samples, their labels swapped (Goel et al., 2022; Appendix F).

    Our reading of "1 % of the training samples of classes 0 and 1": 1 % of each class, rounded, at least one; 40 + 40 of
    the paper's split, which its Table 2 fits (3960 retain samples of a class remain). The forget classes are the two:
    attacks and the validation images of a method are drawn from them. `classes` are names or positions.
    """

    of_class: ClassVar[bool] = True
    sized: ClassVar[bool] = False
    alters_training: ClassVar[bool] = True
    original_per_draw: ClassVar[bool] = True
    classes: tuple[ClassName, ClassName] = (0, 1)
    fraction: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # YAML knows lists only; tasks must be hashable
        if len(set(self.classes)) != 2 or len(self.classes) != 2:
            raise UnlearnError(f"classes must be two different ones, got {self.classes}")
        if not 0 < self.fraction < 1:
            raise UnlearnError(f"fraction must be in (0, 1), got {self.fraction}")

    @property
    def forget_classes(self) -> tuple[ClassName, ...]:
        return self.classes

    def resolved(self, class_names: Sequence[str]) -> Self:
        first, second = positions("classes", self.classes, class_names)
        return replace(self, classes=(first, second))

    @property
    def _positions(self) -> tuple[int, int]:
        return position(self.classes[0]), position(self.classes[1])

    def limit(self, labels: Labels) -> int:
        return sum(self._count(of_class) for of_class in self._members(labels))

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        self.check_size(size, labels)
        rng = stream(size, seed, avoid)
        swapped, altered = [], labels.copy()
        for of_class, other in zip(self._members(labels), reversed(self._positions), strict=True):
            chosen = choose(of_class, self._count(of_class), rng, avoid)
            altered[chosen] = other
            swapped.append(chosen)
        indices = np.sort(np.concatenate(swapped))
        return ForgetSet(indices, classes=self._positions, labels=altered, confused=self._positions)

    def _members(self, labels: Labels) -> list[Indices]:
        return [np.flatnonzero(labels == label) for label in self._positions]

    def _count(self, of_class: Indices) -> int:
        return max(1, round(len(of_class) * self.fraction)) if len(of_class) else 0

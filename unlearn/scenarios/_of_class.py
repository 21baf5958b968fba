"""What the scenarios share that forget samples of one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from unlearn.data import ClassName, Indices, Labels
from unlearn.scenarios._base import Scenario, position, positions


@dataclass(frozen=True)
class OfClass(Scenario):
    """Forgets samples of `target_class`, a name or a position (class 5 in the paper)."""

    of_class: ClassVar[bool] = True
    target_class: ClassName = 5

    @property
    def forget_classes(self) -> tuple[ClassName, ...]:
        return (self.target_class,)

    def resolved(self, class_names: Sequence[str]) -> Self:
        return replace(self, target_class=positions("target_class", self.forget_classes, class_names)[0])

    def limit(self, labels: Labels) -> int:
        return len(self.candidates(labels))

    def candidates(self, labels: Labels) -> Indices:
        """The training samples of the class."""
        return np.flatnonzero(labels == position(self.target_class))

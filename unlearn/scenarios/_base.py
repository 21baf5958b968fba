"""What a scenario decides: which training samples to forget, and which pixels or labels differ while they are learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from unlearn.data import Indices, Labels, Pixels
from unlearn.errors import UnlearnError


@dataclass(frozen=True)
class ForgetSet:
    """The samples to forget, and how the training set was altered for the original model.

    Attributes:
        indices: positions in the training split, sorted, unique.
        classes: the forget classes in a class scenario, else None (then every class counts).
        images, labels: replacements for the whole training split's own, or None where nothing is altered.
        groups: named parts of `indices` that are reported apart.
        confused: the two classes whose labels were swapped, or None.
    """

    indices: Indices
    classes: tuple[int, ...] | None = None
    images: Pixels | None = None
    labels: Labels | None = None
    groups: Mapping[str, Indices] = field(default_factory=dict)
    confused: tuple[int, int] | None = None


class Scenario(ABC):
    """A rule that draws forget sets; subclasses are frozen dataclasses whose fields are its options."""

    #: Whether utility is also measured on the forget class alone (CTA), and attacks use its images only.
    of_class: ClassVar[bool] = False
    #: Whether `forget_size` may be chosen; where it may not, the rule itself fixes the size, and the only valid one is `limit`.
    sized: ClassVar[bool] = True
    #: Whether the original model trains on altered data, and whether every draw alters it differently.
    alters_training: ClassVar[bool] = False
    original_per_draw: ClassVar[bool] = False

    @property
    def least(self) -> int:
        """The smallest forget set that this scenario can draw, whatever the data."""
        return 1

    @abstractmethod
    def limit(self, labels: Labels) -> int:
        """The largest forget set that this scenario can draw from training labels `labels`; the only one unless `sized`."""

    @abstractmethod
    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        """The forget set of `size` samples for one seed.

        Raises:
            UnlearnError: the size is out of range; the message gives the largest allowed.
        """

    def check_size(self, size: int, labels: Labels) -> None:
        """Raise `UnlearnError` unless least ≤ size ≤ limit, and size = limit where the scenario is not `sized`."""
        most = self.limit(labels)
        if most == 0:
            raise UnlearnError("this scenario finds no training samples to forget: do its classes exist?")
        if not self.sized and size != most:
            raise UnlearnError(f"forget size is fixed at {most} by this scenario, got {size}")
        if not self.least <= size <= most:
            raise UnlearnError(f"forget size must be in {self.least} … {most} for this scenario, got {size}")


def choose(candidates: Indices, size: int, seed: int) -> Indices:
    """`size` of the candidates, uniformly without replacement, sorted."""
    chosen: npt.NDArray[np.int64] = np.random.default_rng(seed).choice(candidates, size, replace=False)
    return np.sort(chosen)

"""Forget random samples, some of which were scrambled before the original model learnt them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from unlearn.bounds import Bounds
from unlearn.data import Indices, Labels, Pixels
from unlearn.errors import UnlearnError
from unlearn.scenarios._base import ForgetSet, Scenario, choose

__all__ = ["Canary"]


@dataclass(frozen=True)
class Canary(Scenario):
    """`canaries` scrambled samples (group `ood`) and size − `canaries` intact ones (group `in`); Section 5 of the paper.

    Each canary's pixels are permuted by a permutation of its own, the same for all channels; its label stays. Our reading:
    which samples are canaries, and how they are scrambled, depends on `canary_seed` alone, so that one original model
    serves all forget seeds; a forget seed draws the intact samples, uniformly from the rest of the training set.
    """

    alters_training: ClassVar[bool] = True
    canaries: int = 50
    canary_seed: Annotated[int, Bounds(0, 2**53)] = 0

    def __post_init__(self) -> None:
        if self.canaries < 1:
            raise UnlearnError(f"canaries must be ≥ 1, got {self.canaries}")

    @property
    def least(self) -> int:
        return self.canaries + 1

    def limit(self, labels: Labels) -> int:
        return len(labels) - 1

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int) -> ForgetSet:
        self.check_size(size, labels)
        ood = choose(np.arange(len(labels)), self.canaries, self.canary_seed)
        intact = choose(np.setdiff1d(np.arange(len(labels)), ood), size - self.canaries, seed)
        return ForgetSet(
            np.sort(np.concatenate([ood, intact])),
            images=self._scrambled(images, ood),
            groups={"ood": ood, "in": intact},
        )

    def _scrambled(self, images: Pixels, ood: Indices) -> Pixels:
        """A copy of `images`, shape (n, C, H, W), with the pixels of rows `ood` permuted."""
        altered = np.array(images)
        channels, height, width = images.shape[1:]
        flat = altered.reshape(len(images), channels, height * width)  # a view: a fresh copy is contiguous
        rng = np.random.default_rng([self.canary_seed, 1])  # apart from the stream that chose the canaries
        for row in ood:
            flat[row] = flat[row][:, rng.permutation(height * width)]
        return altered

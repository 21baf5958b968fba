"""Forget random samples, some of which were scrambled before the original model learnt them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from unlearn.bounds import Bounds
from unlearn.data import Indices, Labels, Pixels
from unlearn.errors import UnlearnError
from unlearn.scenarios._base import ForgetSet, Scenario, choose, stream

__all__ = ["Canary"]


@dataclass(frozen=True)
class Canary(Scenario):
    """`canaries` scrambled samples (group `ood`) and size − `canaries` intact ones (group `in`); Section 5 of the paper.

    The original model learns a `pool` of scrambled samples, by default four times as many as one forget set has (or half of
    the training set, if that is less); the others of the pool are retained. Each one's pixels are permuted by a permutation of
    its own, the same for all channels; its label stays. Our reading: which samples these are, and how they are scrambled,
    depends on `canary_seed` alone, so that one original model serves all forget seeds; a forget seed draws the canaries from
    the pool, and the intact samples from the rest of the training set.
    """

    alters_training: ClassVar[bool] = True
    canaries: int = 50
    canary_seed: Annotated[int, Bounds(0, 2**53)] = 0
    pool: int | None = None

    def __post_init__(self) -> None:
        if self.canaries < 1:
            raise UnlearnError(f"canaries must be ≥ 1, got {self.canaries}")
        if self.pool is not None and self.pool < self.canaries:
            raise UnlearnError(f"pool must be ≥ canaries ({self.canaries}), got {self.pool}")

    def scrambled(self, samples: int) -> int:
        """How many of so many training samples the original model learns scrambled."""
        return max(self.canaries, min(4 * self.canaries, samples // 2)) if self.pool is None else self.pool

    @property
    def least(self) -> int:
        return self.canaries + 1

    def limit(self, labels: Labels) -> int:
        """All but the scrambled samples that are not forgotten; where all are, one sample must stay to be retained."""
        retained = max(1, self.scrambled(len(labels)) - self.canaries)
        return max(0, len(labels) - retained)

    def draw(self, images: Pixels, labels: Labels, size: int, seed: int, avoid: Indices | None = None) -> ForgetSet:
        self.check_size(size, labels)
        everything, rng = np.arange(len(labels)), stream(size, seed, avoid)
        pool = choose(everything, self.scrambled(len(labels)), np.random.default_rng(self.canary_seed))
        intact = choose(np.setdiff1d(everything, pool), size - self.canaries, rng, avoid)
        ood = choose(pool, self.canaries, rng, avoid)
        return ForgetSet(
            np.sort(np.concatenate([ood, intact])),
            images=self._altered(images, pool),
            groups={"ood": ood, "in": intact},
        )

    def _altered(self, images: Pixels, pool: Indices) -> Pixels:
        """A copy of `images`, shape (n, C, H, W), with the pixels of rows `pool` permuted."""
        altered = np.array(images)
        channels, height, width = images.shape[1:]
        flat = altered.reshape(len(images), channels, height * width)  # a view: a fresh copy is contiguous
        rng = np.random.default_rng([self.canary_seed, 1])  # apart from the stream that chose the canaries
        for row in pool:
            flat[row] = flat[row][:, rng.permutation(height * width)]
        return altered

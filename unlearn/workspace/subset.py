"""A fixed part of a set of samples that has its classes in their proportions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unlearn.data import Indices

__all__ = ["stratified"]

Labels = npt.NDArray[np.int64]


def stratified(labels: Labels, size: int, rng: np.random.Generator) -> Indices:
    """Positions, sorted, of a random subset in which each class has its share, rounded by the largest remainder.

    Every class has at least one sample where `size` allows that.

    Args:
        labels: of all samples, shape (n,); size: of the subset, 1 … n.

    Returns:
        (size,) int64.
    """
    classes, counts = np.unique(labels, return_counts=True)
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in zip(classes, shares(counts, size), strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def shares(counts: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """How many of `size` samples each class has that has `counts` of all of them."""
    exact = counts * (size / counts.sum())
    least = int(size >= len(counts))
    found: npt.NDArray[np.int64] = np.maximum(np.floor(exact).astype(np.int64), least)
    while found.sum() > size:  # classes of less than one sample have taken theirs from others
        found[np.argmax(np.where(found > least, found - exact, -np.inf))] -= 1
    missing = size - int(found.sum())
    by_remainder = np.argsort(found - exact, kind="stable")
    found[by_remainder[:missing]] += 1
    return found

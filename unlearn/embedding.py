"""Two-dimensional maps of representations, for the eye (the paper's Figure 6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE

__all__ = ["Embedding", "tsne"]


@dataclass(frozen=True)
class Embedding:
    """Coordinates of some samples.

    Attributes:
        rows: (m,) positions of the samples in what was embedded, sorted.
        coordinates: (m, 2) float32.
    """

    rows: npt.NDArray[np.int64]
    coordinates: npt.NDArray[np.float32]


def tsne(
    features: npt.NDArray[np.float32],
    *,
    seed: int = 0,
    most: int | None = 2000,
    keep: npt.NDArray[np.int64] | None = None,
    perplexity: float = 30.0,
) -> Embedding:
    """t-SNE (van der Maaten & Hinton, 2008) of `features`, shape (n, d); the same seed gives the same map.

    Args:
        most: embed a seeded subsample of at most so many samples; None embeds all.
        keep: rows that the subsample must contain (the forget set, say), at most `most` of them.
        perplexity: lowered to what few samples allow.

    Raises:
        ValueError: fewer than four samples.
    """
    n = len(features)
    if n < 4:
        raise ValueError(f"an embedding needs ≥ 4 samples, got {n}")
    rows = np.arange(n) if most is None or n <= most else _subsample(n, most, keep, seed)
    map_ = TSNE(n_components=2, init="pca", perplexity=min(perplexity, (len(rows) - 1) / 3), random_state=seed)
    return Embedding(rows, map_.fit_transform(features[rows]).astype(np.float32))


def _subsample(n: int, most: int, keep: npt.NDArray[np.int64] | None, seed: int) -> npt.NDArray[np.int64]:
    kept = np.unique(keep)[:most] if keep is not None else np.empty(0, np.int64)
    others = np.setdiff1d(np.arange(n), kept)
    drawn = np.random.default_rng(seed).choice(others, most - len(kept), replace=False)
    return np.sort(np.concatenate([kept, drawn]))

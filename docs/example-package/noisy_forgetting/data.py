"""An own data set: scikit-learn's two moons, drawn as small images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import make_moons

from unlearn.data import ImageDataset

SIDE = 8


def two_moons(cache: Path, *, samples: int = 600, noise: float = 0.15) -> ImageDataset:
    """Grey images of 8 × 8 pixels, one bright spot each, of two classes: `upper` and `lower`.

    Args:
        cache: folder for what is worth keeping; this is made in a moment.
        samples: of training images; a quarter as many are for testing.
        noise: of the points.
    """
    parts = []
    for seed, count in enumerate((samples, samples // 4)):
        points, labels = make_moons(count, noise=noise, random_state=seed)
        parts += [_drawn(points), labels.astype(np.int64)]
    return ImageDataset(*parts, class_names=("upper", "lower"))


def _drawn(points: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    grid = np.stack(np.meshgrid(np.linspace(-1.5, 2.5, SIDE), np.linspace(1.5, -1, SIDE)), axis=-1)
    distance = ((points[:, None, None, :] - grid) ** 2).sum(-1)
    return (255 * np.exp(-3 * distance)).astype(np.uint8)[:, None]

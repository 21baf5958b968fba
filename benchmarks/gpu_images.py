"""Images of CIFAR-10's size that nothing need be downloaded for: a pattern for each class under noise, some labels wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from unlearn.data import ImageDataset, Labels, Pixels

CLASSES = 10
#: Share of the training labels that are drawn at random, so that there is something to learn by heart.
WRONG = 0.1


def patterns(cache: Path, *, train: int = 50_000, test: int = 10_000, size: int = 32) -> ImageDataset:
    """`train` and `test` colour images of `size` × `size` pixels in ten classes, the same ones at every call."""
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 256, (CLASSES, 3, size, size))
    x_train, y_train = _part(rng, pattern, train)
    x_test, y_test = _part(rng, pattern, test)
    wrong = rng.random(train) < WRONG
    y_train[wrong] = rng.integers(0, CLASSES, wrong.sum())
    names = tuple(map(str, range(CLASSES)))
    return ImageDataset(x_train, y_train, x_test, y_test, names, "made-up patterns under noise")


def _part(rng: np.random.Generator, pattern: npt.NDArray[np.int64], count: int) -> tuple[Pixels, Labels]:
    labels = np.arange(count, dtype=np.int64) % CLASSES
    images = rng.integers(0, 256, (count, *pattern.shape[1:]), np.uint8)
    for label in range(CLASSES):
        of_class = labels == label
        images[of_class] = (3 * images[of_class].astype(np.uint16) + pattern[label]) // 4
    return images, labels

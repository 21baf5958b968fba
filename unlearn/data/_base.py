"""A data set as this package holds it: uint8 pixels and labels, whole, in memory or memory-mapped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from unlearn.errors import DataError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images with their published train/test division.

    Attributes:
        train_images, test_images: uint8, shape (N, channels, height, width).
        train_labels, test_labels: int64, shape (N,), values 0 … classes − 1.
        class_names: one name per class.
    """

    train_images: Pixels
    train_labels: Labels
    test_images: Pixels
    test_labels: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels):
                raise DataError(
                    f"{part} images must be uint8 (N, C, H, W) with N labels, "
                    f"got {images.dtype} {images.shape} with {len(labels)} labels"
                )
            missing = sorted(set(range(self.num_classes)) - set(np.unique(labels).tolist()))
            if missing:
                names = ", ".join(self.class_names[m] for m in missing)
                raise DataError(f"every class must have {part} images; none for: {names}")

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.train_images.shape[1:]
        return int(channels), int(height), int(width)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all pixels and labels: the same data has the same fingerprint on every machine."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Splits:
    """Disjoint index sets over the training images; they cover it.

    `validation` is what unlearning methods may see besides the training data, `dev` is what a strict search is scored on.
    """

    train: Indices
    validation: Indices
    dev: Indices


def split(labels: Labels, *, held_out: float, dev: float, seed: int) -> Splits:
    """Hold out a fraction of EACH class, and divide that into validation and dev images.

    Args:
        held_out: fraction of each class that no model is trained on, in (0, 1); 0.2 in the paper.
        dev: fraction of the held-out images reserved for scoring a strict search, in [0, 1).
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[Indices]] = {"train": [], "validation": [], "dev": []}
    for label in np.unique(labels):
        of_class = rng.permutation(np.flatnonzero(labels == label))
        held = round(len(of_class) * held_out)
        for_dev = round(held * dev)
        parts["dev"].append(of_class[:for_dev])
        parts["validation"].append(of_class[for_dev:held])
        parts["train"].append(of_class[held:])
    return Splits(**{name: np.sort(np.concatenate(part)) for name, part in parts.items()})

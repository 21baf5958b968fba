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


CHUNK = 4096


@dataclass(frozen=True)
class Summary:
    """What is derived from all pixels of a data set, and kept beside a cached one.

    Attributes:
        fingerprint: SHA-256 over all pixels and labels: the same data has the same one on every machine.
        mean, std: of the training pixels in [0, 1], per channel; from exact integer counts, so equal on every machine too.
    """

    fingerprint: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images with their published train/test division.

    Attributes:
        train_images, test_images: uint8, shape (N, channels, height, width).
        train_labels, test_labels: int64, shape (N,), values 0 … classes − 1.
        class_names: one name per class.
        stored_summary: the summary, where it is known already; else it is computed at need.
    """

    train_images: Pixels
    train_labels: Labels
    test_images: Pixels
    test_labels: Labels
    class_names: tuple[str, ...]
    stored_summary: Summary | None = None

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels):
                raise DataError(
                    f"{part} images must be uint8 (N, C, H, W) with N labels, "
                    f"got {images.dtype} {images.shape} with {len(labels)} labels"
                )
            present = set(np.unique(labels).tolist())
            missing = sorted(set(range(self.num_classes)) - present)
            if missing:
                names = ", ".join(self.class_names[m] for m in missing)
                raise DataError(f"every class must have {part} images; none for: {names}")
            beyond = sorted(present - set(range(self.num_classes)))
            if beyond:
                raise DataError(f"{part} labels must be in 0 … {self.num_classes - 1}, got {beyond[0]}")
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                "training and test images must have one shape (C, H, W), "
                f"got {self.train_images.shape[1:]} and {self.test_images.shape[1:]}"
            )

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.train_images.shape[1:]
        return int(channels), int(height), int(width)

    @cached_property
    def summary(self) -> Summary:
        """Fingerprint, mean and deviation; a pass over all pixels unless stored."""
        if self.stored_summary is not None:
            return self.stored_summary
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return Summary(digest.hexdigest(), *pixel_moments(self.train_images))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all pixels and labels: the same data has the same fingerprint on every machine."""
        return self.summary.fingerprint


def pixel_moments(images: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(means, deviations) of the channels of `images`, in [0, 1]; a constant channel counts as deviation 1."""
    counts = np.zeros((images.shape[1], 256), np.int64)
    for start in range(0, len(images), CHUNK):
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(images[start : start + CHUNK, channel].ravel(), minlength=256)
    value = np.arange(256)
    n, total, squares = counts.sum(1), (counts * value).sum(1), (counts * value**2).sum(1)
    mean = total / n
    std = np.sqrt(np.maximum(squares / n - mean**2, 0))
    return tuple((mean / 255).tolist()), tuple(np.where(std > 0, std / 255, 1.0).tolist())


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

"""A data set as this package holds it: uint8 pixels and labels, whole, in memory or memory-mapped."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from unlearn.data._classes import few
from unlearn.data._ids import Ids, Indices
from unlearn.errors import DataError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

CHUNK = 4096


@dataclass(frozen=True)
class Summary:
    """What is derived from all pixels of a data set, and kept beside a cached one.

    Attributes:
        fingerprint: SHA-256 over all pixels and labels: the same data has the same one on every machine.
        mean, std: of the training pixels in [0, 1], per channel; from exact integer counts, so equal on every machine too.
        low, high: the least and the greatest training pixel, in 0 … 255.
    """

    fingerprint: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: int
    high: int


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images with their published train/test division.

    Attributes:
        train_images, test_images: uint8, shape (N, channels, height, width).
        train_labels, test_labels: int64, shape (N,), values 0 … classes − 1.
        class_names: one name per class, all different.
        source: what was read, as people read it: formats and modes of the files, or the arrays' type and range.
        stored_summary: the summary, where it is known already; else it is computed at need.
        given_ids: what the user calls the images; row numbers of the training images where it is None.
        held_out: rows of training images that are set apart for validation, where the data set itself does so.
    """

    train_images: Pixels
    train_labels: Labels
    test_images: Pixels
    test_labels: Labels
    class_names: tuple[str, ...]
    source: str = ""
    stored_summary: Summary | None = None
    given_ids: Ids | None = None
    held_out: Indices | None = None

    def __post_init__(self) -> None:
        twice = sorted(name for name, count in Counter(self.class_names).items() if count > 1)
        if twice:
            raise DataError(f"every class must have a name of its own; several are named {few(map(repr, twice))}")
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels):
                raise DataError(
                    f"{part} images must be uint8 (N, C, H, W) with N labels, "
                    f"got {images.dtype} {images.shape} with {len(labels)} labels"
                )
            problem = label_problem(part, labels, self.class_names)
            if problem:
                raise DataError(problem)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                "training and test images must have one shape (C, H, W), "
                f"got {self.train_images.shape[1:]} and {self.test_images.shape[1:]}"
            )

    @property
    def description(self) -> str:
        """What was read: counts, shape, range, and the source."""
        shape = " × ".join(map(str, self.image_shape))
        held_out = 0 if self.held_out is None else len(self.held_out)
        validation = f", {held_out:,} validation" if held_out else ""
        trained = len(self.train_labels) - held_out
        return (
            f"{trained:,} training{validation} and {len(self.test_labels):,} test images of {self.num_classes} classes, "
            f"{shape} (channels × height × width), values {self.summary.low} … {self.summary.high}"
            + (f"; read from {self.source}" if self.source else "")
        )

    @property
    def identity(self) -> str:
        """The fingerprint, and what tells these class names from others."""
        names = hashlib.sha256(repr(self.class_names).encode("utf-8", "surrogateescape")).hexdigest()
        return f"{self.fingerprint}-{names[:16]}"

    @cached_property
    def ids(self) -> Ids:
        """What the user calls the images."""
        return self.given_ids or Ids.of_rows(len(self.train_labels))

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
        counts = pixel_counts(self.train_images)
        present = np.flatnonzero(counts.sum(0))
        return Summary(digest.hexdigest(), *pixel_moments(counts), int(present[0]), int(present[-1]))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all pixels and labels: the same data has the same fingerprint on every machine."""
        return self.summary.fingerprint


def label_problem(part: str, labels: Labels, class_names: tuple[str, ...]) -> str | None:
    """What is wrong with a part's labels, or None: each is the position of one of several classes, and each class has one."""
    present, classes = np.unique(labels), len(class_names)
    if classes < 2:
        return f"a data set must have at least two classes, got {few(map(repr, class_names)) or 'none'}"
    beyond = present[(present < 0) | (present >= classes)]
    if len(beyond):
        return f"{part} labels must be in 0 … {classes - 1}, got {few(beyond.tolist())}"
    missing = np.setdiff1d(np.arange(classes), present)
    if len(missing):
        return f"every class must have {part} images; none for: {few(class_names[m] for m in missing)}"
    return None


def pixel_counts(images: Pixels) -> npt.NDArray[np.int64]:
    """How often each value occurs in each channel of `images`, shape (channels, 256)."""
    counts = np.zeros((images.shape[1], 256), np.int64)
    for start in range(0, len(images), CHUNK):
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(images[start : start + CHUNK, channel].ravel(), minlength=256)
    return counts


def pixel_moments(counts: npt.NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(means, deviations) of the channels in [0, 1], from their `pixel_counts`; a constant channel counts as deviation 1."""
    value = np.arange(256)
    n, total, squares = counts.sum(1), (counts * value).sum(1), (counts * value**2).sum(1)
    mean = total / n
    std = np.sqrt(np.maximum(squares / n - mean**2, 0))
    return tuple((mean / 255).tolist()), tuple(np.where(std > 0, std / 255, 1.0).tolist())


@dataclass(frozen=True)
class Look:
    """What can be told of a data set without decoding it.

    Attributes:
        problems: everything that is seen to be wrong, one sentence each.
        class_names, train_labels, test_labels: as they will be; None where that is not known, as before a download.
        ids, held_out: as of an `ImageDataset`; ids are None where they are not known yet.
    """

    problems: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    train_labels: Labels | None = None
    test_labels: Labels | None = None
    ids: Ids | None = None
    held_out: Indices | None = None

    @staticmethod
    def of(
        class_names: tuple[str, ...],
        train_labels: Labels,
        test_labels: Labels,
        ids: Ids | None = None,
        held_out: Indices | None = None,
    ) -> Look:
        """A look at labels; what is wrong with them are its problems."""
        found = (
            label_problem(part, labels, class_names)
            for part, labels in (("train", train_labels), ("test", test_labels))
        )
        problems = tuple(dict.fromkeys(problem for problem in found if problem))
        return Look(problems) if problems else Look((), class_names, train_labels, test_labels, ids, held_out)

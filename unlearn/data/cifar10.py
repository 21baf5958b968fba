"""CIFAR-10: 32×32 colour images of ten classes (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset, Look
from unlearn.data._cifar import Batches

__all__ = ["cifar10"]

FOLDER = "cifar-10-batches-py"
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
META = "batches.meta"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PUBLISHED = Batches(
    "CIFAR-10", "cifar10", FOLDER, "CIFAR10", BATCHES, META, b"labels", b"label_names", (5000, 1000), CLASSES
)


def cifar10(cache: Path, *, root: str | Path | None = None, download: bool = True) -> ImageDataset:
    """50,000 training and 10,000 test images, from the published Python batches.

    The batches are pickles; they are read by an unpickler that knows NumPy arrays and nothing else, so that no code in
    them can run.

    Args:
        root: the folder that holds `cifar-10-batches-py`; `<cache>/cifar10` unless given.
        download: fetch the archive by torchvision, which verifies its checksum, where the batches are absent.

    Raises:
        DataError: the batches are absent and cannot be fetched, or one of them is not what it should be.
    """
    return PUBLISHED.dataset(cache, root, download=download)


def look(cache: Path, *, root: str | Path | None = None, download: bool = True) -> Look:
    """What is missing or damaged; where it is still to be fetched, what it will be."""
    return PUBLISHED.look(cache, root, download=download)

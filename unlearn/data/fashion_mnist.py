"""Fashion-MNIST: 28×28 grey images of ten kinds of clothes (Xiao et al., 2017)."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset
from unlearn.data._torchvision import of_torchvision

__all__ = ["fashion_mnist"]


def fashion_mnist(cache: Path, *, root: str | Path | None = None, download: bool = True) -> ImageDataset:
    """60,000 training and 10,000 test images, by torchvision.

    Args:
        root: the folder that holds `FashionMNIST/raw` with its four files; `<cache>/torchvision/FashionMNIST` unless given.
        download: fetch them, and verify their checksums, where they are absent.

    Raises:
        DataError: they are absent and cannot be fetched, or cannot be read.
    """
    return of_torchvision("FashionMNIST", cache, root, download=download)

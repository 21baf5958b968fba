"""SVHN: 32×32 colour images of house numbers' digits (Netzer et al., 2011)."""

from __future__ import annotations

from pathlib import Path

from unlearn.data._base import ImageDataset
from unlearn.data._torchvision import of_torchvision

__all__ = ["svhn"]


def svhn(cache: Path, *, root: str | Path | None = None, download: bool = True) -> ImageDataset:
    """73,257 training and 26,032 test images of the cropped digits 0 … 9, by torchvision, which verifies their checksums.

    Args:
        root: the folder that holds `train_32x32.mat` and `test_32x32.mat`; `<cache>/torchvision/SVHN` unless given.
        download: fetch them where they are absent.

    Raises:
        DataError: they are absent and cannot be fetched, or are not the published ones.
    """
    return of_torchvision("SVHN", cache, root, download=download)

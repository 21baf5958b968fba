"""A data set of one's own in a NumPy archive."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unlearn.data._base import ImageDataset, Labels
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.errors import DataError

__all__ = ["arrays"]

NAMES = ("x_train", "y_train", "x_test", "y_test")


def arrays(cache: Path, *, path: str | Path) -> ImageDataset:
    """An `.npz` with `x_train`, `y_train`, `x_test`, `y_test`, and optionally `class_names`; read without pickle.

    Images are uint8: (N, H, W) grey, (N, C, H, W), or (N, H, W, C) where the last axis is 1 or 3 and the second is not.
    Labels are integers from 0, shape (N,) or (N, 1); class names are the numbers unless given.

    Raises:
        DataError: the file or an array is missing or of another form; it is named.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"expected a NumPy archive with {', '.join(NAMES)} at {file}, but there is none")

    def build(folder: Path) -> Sequence[str]:
        try:
            with np.load(file, allow_pickle=False) as archive:
                loaded = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{file} cannot be read: {error}") from error
        absent = [name for name in NAMES if name not in loaded]
        if absent:
            raise DataError(f"{file} must hold {', '.join(NAMES)}; missing: {', '.join(absent)}")
        for part in ("train", "test"):
            images = _channels_first(f"x_{part}", loaded[f"x_{part}"])
            new_pixels(folder, part, images.shape)[:] = images
            save_labels(folder, part, _labels(f"y_{part}", loaded[f"y_{part}"]))
        if "class_names" in loaded:
            return [str(name) for name in loaded["class_names"]]
        return [str(label) for label in range(int(loaded["y_train"].max()) + 1)]

    return cached(cache, "arrays", listing(file.parent, [file]), build)


def _channels_first(name: str, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
        raise DataError(f"{name} must be uint8 images, (N, H, W) or (N, C, H, W), got {images.dtype} {images.shape}")
    if images.ndim == 3:
        return images[:, None]
    last = images.shape[3] in (1, 3) and images.shape[1] not in (1, 3)
    return images.transpose(0, 3, 1, 2) if last else images


def _labels(name: str, labels: npt.NDArray[np.int64]) -> Labels:
    if labels.dtype.kind not in "iu" or labels.ndim not in (1, 2) or labels.size != len(labels):
        raise DataError(f"{name} must be integers of shape (N,), got {labels.dtype} {labels.shape}")
    return labels.reshape(-1).astype(np.int64)

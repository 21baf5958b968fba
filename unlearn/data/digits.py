"""scikit-learn's bundled 8×8 digits: the embedded default, nothing to download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unlearn.data._base import ImageDataset

__all__ = ["digits"]


def digits(cache: Path | None = None) -> ImageDataset:
    """1,797 grey 8×8 images of ten digits; scikit-learn ships no test set, so a fixed fifth of each class is one.

    Pixels 0 … 16 are stretched to 0 … 255. `cache` is not needed: the data comes with scikit-learn.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415  # a second, which commands that only name the data set do not wait
    from sklearn.model_selection import train_test_split  # noqa: PLC0415  # likewise

    bundle = load_digits()
    images = np.rint(bundle.images[:, None] * (255 / 16)).astype(np.uint8)
    labels = bundle.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    train, test = np.sort(train), np.sort(test)
    return ImageDataset(images[train], labels[train], images[test], labels[test], tuple(map(str, range(10))))

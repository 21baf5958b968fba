"""scikit-learn's bundled 8×8 digits: the embedded default, nothing to download."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Look, Pixels
from unlearn.data._cache import cached, new_pixels, save_ids, save_labels
from unlearn.data._ids import Ids

__all__ = ["digits"]

SOURCE = "scikit-learn's digits, 0 … 16 stretched to 0 … 255"
CLASSES = tuple(map(str, range(10)))
#: Images of each class, told here so that a look need not wait for scikit-learn.
TRAIN = (142, 146, 142, 146, 145, 145, 145, 143, 139, 144)
TEST = (36, 36, 35, 37, 36, 37, 36, 36, 35, 36)


def digits(cache: Path | None = None) -> ImageDataset:
    """1,797 grey 8×8 images of ten digits; scikit-learn ships no test set, so a fixed fifth of each class is one.

    Ids are the row numbers of `load_digits`. Pixels 0 … 16 are stretched to 0 … 255. With a `cache`, scikit-learn is imported
    once only.
    """
    if cache is None:
        train_images, train_labels, test_images, test_labels, ids = _read()
        return ImageDataset(train_images, train_labels, test_images, test_labels, CLASSES, SOURCE, given_ids=ids)
    return cached(cache, "digits", ["scikit-learn", version("scikit-learn")], _build)


def _build(folder: Path) -> tuple[Sequence[str], str]:
    train_images, train_labels, test_images, test_labels, ids = _read()
    for part, images, labels in (("train", train_images, train_labels), ("test", test_images, test_labels)):
        new_pixels(folder, part, images.shape)[:] = images
        save_labels(folder, part, labels)
    save_ids(folder, ids)
    return CLASSES, SOURCE


def _read() -> tuple[Pixels, Labels, Pixels, Labels, Ids]:
    """Images and labels to train on, then those to test on, and their ids."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  # a second, which commands that only name the data set do not wait
    from sklearn.model_selection import train_test_split  # noqa: PLC0415  # likewise

    bundle = load_digits()
    images = np.rint(bundle.images[:, None] * (255 / 16)).astype(np.uint8)
    labels = bundle.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    train, test = np.sort(train), np.sort(test)
    return images[train], labels[train], images[test], labels[test], Ids(train, test)


def look(cache: Path | None = None) -> Look:
    """The labels, class after class."""
    return Look.of(CLASSES, np.repeat(np.arange(10), TRAIN), np.repeat(np.arange(10), TEST))

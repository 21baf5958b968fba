"""Data sets published as trees of image files: listed, checked, and decoded by parallel threads."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from unlearn.data._base import ImageDataset, Pixels
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.errors import DataError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}

#: Class name → its image files.
Members = Mapping[str, Sequence[Path]]


def image_files(folder: Path) -> list[Path]:
    """The image files directly in `folder`, by suffix, sorted by name; hidden files are none."""
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The members of each class in a `<class>/<image>` tree, classes sorted by name.

    Raises:
        DataError: the folder is missing, or has no class folders.
    """
    if not folder.is_dir():
        raise DataError(f"expected a folder of class folders at {folder}, but there is none")
    classes = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not classes:
        raise DataError(f"expected one folder per class in {folder}, but found none")
    return {f.name: image_files(f) for f in classes}


def tree_dataset(cache: Path, name: str, root: Path, train: Members, test: Members) -> ImageDataset:
    """The data set of the listed files as RGB arrays; the class order is `train`'s.

    Raises:
        DataError: a class without images in either part, a file that cannot be decoded, or images of different sizes; the
            class or the file is named.
    """
    for part, members in (("training", train), ("test", test)):
        for class_name in {**train, **test}:
            if not members.get(class_name):
                raise DataError(f"every class must have {part} images, but {class_name!r} of {root} has none")
    files = {part: [f for name in train for f in members[name]] for part, members in (("train", train), ("test", test))}
    height, width = _decode(files["train"][0]).shape[1:]

    def build(folder: Path) -> Sequence[str]:
        for part, members in (("train", train), ("test", test)):
            pixels = new_pixels(folder, part, (len(files[part]), 3, height, width))
            _decode_all(files[part], pixels, files["train"][0])
            save_labels(folder, part, np.repeat(np.arange(len(train)), [len(members[name]) for name in train]))
        return tuple(train)

    return cached(cache, name, listing(root, files["train"] + files["test"]), build)


def _decode_all(files: Sequence[Path], out: Pixels, first: Path) -> None:
    """Fill `out`, shape (files, 3, H, W); PIL decodes without Python's global lock, so threads run side by side."""

    def fill(row: int) -> None:
        pixels = _decode(files[row])
        if pixels.shape != out.shape[1:]:
            sizes = [f"{shape[2]}×{shape[1]}" for shape in (out.shape[1:], pixels.shape)]
            raise DataError(f"all images must have one size, but {first} is {sizes[0]} and {files[row]} is {sizes[1]}")
        out[row] = pixels

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(fill, range(len(files))):
            pass


def _decode(file: Path) -> Pixels:
    """(3, H, W) uint8, RGB; grey images get three equal channels."""
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be decoded: {error}") from error
    return pixels.transpose(2, 0, 1)

"""A data set of one's own in a NumPy archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from unlearn.data._base import ImageDataset, Labels, Look
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.data._classes import few
from unlearn.data._ids import Ids
from unlearn.data._pixels import channels_first, layout_of, reading_of
from unlearn.errors import DataError
from unlearn.files import expanded

__all__ = ["arrays"]

NAMES = ("x_train", "y_train", "x_test", "y_test")
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def arrays(cache: Path, *, path: str | Path, layout: str | None = None) -> ImageDataset:
    """An `.npz` with `x_train`, `y_train`, `x_test`, `y_test`, and optionally `class_names`; read without pickle.

    Images are (N, H, W) grey, (N, C, H, W), or (N, H, W, C) where the last axis is 1 or 3 and the second is not. They are uint8;
    floats in [0, 1] and 16-bit numbers are scaled, other numbers taken where they are whole and in 0 … 255.
    Labels are whole numbers ≥ 0, shape (N,) or (N, 1). With `class_names` they are positions in it; else each different label is
    a class, in order, named by its number.

    Args:
        layout: NHW, NCHW or NHWC, where the shape alone does not tell.

    Raises:
        DataError: the file or an array is missing or of another form; it is named.
    """
    file = expanded(path)
    if problems := _absent(file):
        raise DataError("\n".join(problems))

    def build(folder: Path) -> tuple[Sequence[str], str]:
        try:
            with np.load(file, allow_pickle=False) as archive:
                loaded = {name: archive[name] for name in archive.files}
        except UNREADABLE as error:
            raise DataError(f"{file} cannot be read: {error}") from error
        images = {name: loaded[name] for name in ("x_train", "x_test")}
        layouts = {name: layout_of(name, array.shape, layout) for name, array in images.items()}
        reading = reading_of(images)
        names, *labels = _classes(loaded["y_train"], loaded["y_test"], loaded.get("class_names"))
        for part, of_part in zip(("train", "test"), labels, strict=True):
            array = channels_first(images[f"x_{part}"], layouts[f"x_{part}"])
            reading.into(array, new_pixels(folder, part, array.shape))
            save_labels(folder, part, of_part)
        return names, f"{reading.what}, {' and '.join(dict.fromkeys(layouts.values()))}"

    source = listing(file.parent, [file])
    return cached(cache, "arrays", source if layout is None else [source, layout], build)


def look(cache: Path, *, path: str | Path, layout: str | None = None) -> Look:
    """What the archive's labels and the headers of its images tell; no pixel is read."""
    file = expanded(path)
    if problems := _absent(file):
        return Look(tuple(problems))
    problems = []
    for name in ("x_train", "x_test"):
        try:
            layout_of(name, _shape(file, name), layout)
        except DataError as error:
            problems.append(str(error))
        except UNREADABLE as error:
            problems.append(f"{name} of {file} cannot be read: {error}")
    try:
        with np.load(file, allow_pickle=False) as archive:
            given = archive["class_names"] if "class_names" in archive.files else None
            names, train, test = _classes(archive["y_train"], archive["y_test"], given)
    except DataError as error:
        return Look((*problems, str(error)))
    except UNREADABLE as error:
        return Look((*problems, f"labels of {file} cannot be read: {error}"))
    seen = Look.of(names, train, test, Ids.of_rows(len(train)))
    return Look((*problems, *seen.problems)) if problems else seen


def _absent(file: Path) -> list[str]:
    """What is missing: the file, or arrays in it."""
    if not file.is_file():
        return [f"expected a NumPy archive with {', '.join(NAMES)} at {file}, but there is none"]
    try:
        with zipfile.ZipFile(file) as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        return [f"{file} cannot be read: {error}; numpy.savez writes such an archive"]
    absent = [name for name in NAMES if name not in there]
    return [f"{file} must hold {', '.join(NAMES)}; missing: {', '.join(absent)}"] if absent else []


def _shape(file: Path, name: str) -> tuple[int, ...]:
    """The shape of an array in the archive, from its header."""
    with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(member)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    return tuple(int(n) for n in shape)


def _classes(
    train: npt.NDArray[np.int64], test: npt.NDArray[np.int64], given: npt.NDArray[np.str_] | None
) -> tuple[tuple[str, ...], Labels, Labels]:
    """(names, training labels, test labels), the labels as positions among the names.

    Raises:
        DataError: labels are no whole numbers ≥ 0, or no positions in the names that are given.
    """
    labels = [_whole("y_train", train), _whole("y_test", test)]
    if given is not None:
        names = _names(given)
        for name, values in zip(("y_train", "y_test"), labels, strict=True):
            beyond = np.unique(values[values >= len(names)])
            if len(beyond):
                raise DataError(
                    f"{name} must be positions in class_names, 0 … {len(names) - 1}, got {few(beyond.tolist())}"
                )
        return (names, labels[0].astype(np.int64), labels[1].astype(np.int64))
    values = np.unique(labels[0])
    strange = np.setdiff1d(labels[1], values)
    if len(strange):
        raise DataError(f"every class must have train images; none for the y_test labels {few(strange.tolist())}")
    positions = [np.searchsorted(values, array).astype(np.int64) for array in labels]
    return (tuple(map(str, values.tolist())), positions[0], positions[1])


def _whole(name: str, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if labels.dtype.kind not in "iu" or labels.ndim not in (1, 2) or labels.size != len(labels):
        raise DataError(f"{name} must be integers of shape (N,), got {labels.dtype} {labels.shape}")
    flat = labels.reshape(-1)
    if len(flat) and flat.min() < 0:
        count = int((flat < 0).sum())
        raise DataError(f"{name} must be ≥ 0, got {flat.min()} ({count:,} below 0): leave samples without a class out")
    return flat


def _names(given: npt.NDArray[np.str_]) -> tuple[str, ...]:
    if given.dtype.kind not in "USiu" or given.ndim != 1 or not len(given):
        raise DataError(f"class_names must be a list of texts, got {given.dtype} of shape {given.shape}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in given.tolist())

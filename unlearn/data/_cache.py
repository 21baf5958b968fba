"""Decoded once: uint8 arrays in a folder of the cache, memory-mapped ever after."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Pixels, Summary
from unlearn.data._ids import Ids
from unlearn.files import locked, sync_folder, temporary_path

logger = logging.getLogger(__name__)

#: Raised when what is decoded from the same files changes: entries of another format are not read.
FORMAT = 2
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
IDS = ("train_ids", "test_ids")

#: Writes the four arrays into a folder, with `new_pixels` and `save_labels`; returns the names of the classes, and what was read.
Builder = Callable[[Path], tuple[Sequence[str], str]]


def cached(cache: Path, name: str, source: Any, build: Builder) -> ImageDataset:
    """The data set that `build` decodes, from the cache where it is there.

    An entry appears whole, by a rename, and carries the sizes of its files and the data's `Summary`; it is trusted if
    the sizes hold, otherwise set aside, reported and rebuilt. Processes that ask for the same entry at once build it once.

    Args:
        source: JSON-like; what the arrays are made from (see `listing`). Anything else there is another entry.
    """
    canonical = json.dumps([FORMAT, name, source], sort_keys=True)
    entry = cache / f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:24]}"
    if (found := _open(entry)) is not None:
        return found
    with locked(cache / f"{entry.name}.lock"):
        if (found := _open(entry)) is not None:  # another process built it while we waited
            return found
        if entry.exists():
            aside = entry.with_name(f"{entry.name}.damaged-{time.time_ns()}")
            entry.rename(aside)
            logger.warning("%s is damaged; set aside as %s, to be decoded again", entry, aside.name)
        for stale in cache.glob(f".{entry.name}.*.tmp"):  # left by a killed process: we hold the lock
            shutil.rmtree(stale)
        _build(entry, build)
    built = _open(entry)
    assert built is not None  # renamed into place a moment ago
    return built


def listing(root: Path, files: Sequence[Path]) -> list[Any]:
    """What tells one state of a source folder from another: its place, and each file's name, size and modification time."""
    about = ((str(file.relative_to(root)), file.stat()) for file in files)
    return [str(root.resolve()), *([name, stat.st_size, stat.st_mtime_ns] for name, stat in about)]


def new_pixels(folder: Path, part: str, shape: tuple[int, ...]) -> Pixels:
    """An empty file-backed array for `part`'s (train or test) images, to be filled in place."""
    return np.lib.format.open_memmap(folder / f"{part}_images.npy", "w+", np.uint8, shape)


def save_labels(folder: Path, part: str, labels: Labels) -> None:
    """Store `part`'s (train or test) labels."""
    np.save(folder / f"{part}_labels.npy", labels.astype(np.int64), allow_pickle=False)


def save_ids(folder: Path, ids: Ids) -> None:
    """Store row numbers that are not simply those of the arrays."""
    for part, rows in zip(IDS, (ids.train, ids.test), strict=True):
        np.save(_file(folder, part), np.asarray(rows, np.int64), allow_pickle=False)


def _build(entry: Path, build: Builder) -> None:
    temporary = temporary_path(entry)
    temporary.mkdir(parents=True)
    try:
        names, source = build(temporary)
        data = ImageDataset(*_arrays(temporary), tuple(names))
        about = {
            "class_names": names,
            "source": source,
            "summary": asdict(data.summary),
            "bytes": {file.stem: file.stat().st_size for file in sorted(temporary.glob("*.npy"))},
        }
        (temporary / "about.json").write_text(json.dumps(about, indent=1))
        for file in temporary.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        temporary.rename(entry)
        sync_folder(entry.parent)
    except OSError as error:
        error.filename = error.filename or str(entry.parent)  # NumPy does not say which file it could not write
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _open(entry: Path) -> ImageDataset | None:
    """The entry's data set, or None where it is absent or damaged."""
    try:
        about = json.loads((entry / "about.json").read_text())
        if any(_file(entry, array).stat().st_size != size for array, size in about["bytes"].items()):
            return None
        stored = about["summary"]
        summary = Summary(**{**stored, "mean": tuple(stored["mean"]), "std": tuple(stored["std"])})
        return ImageDataset(
            *_arrays(entry), tuple(about["class_names"]), about["source"], summary, given_ids=_ids(entry)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _arrays(folder: Path) -> tuple[Pixels, Labels, Pixels, Labels]:
    train_images, train_labels, test_images, test_labels = (
        np.asarray(np.load(_file(folder, array), mmap_mode="r", allow_pickle=False)) for array in ARRAYS
    )
    return train_images, train_labels, test_images, test_labels


def _ids(folder: Path) -> Ids | None:
    """Row numbers that were stored."""
    if not _file(folder, IDS[0]).exists():
        return None
    return Ids(*(np.load(_file(folder, part), allow_pickle=False) for part in IDS))


def _file(folder: Path, array: str) -> Path:
    return folder / f"{array}.npy"

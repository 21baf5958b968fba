"""CIFAR-10: 32×32 colour images of ten classes (Krizhevsky, 2009)."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unlearn.data._base import ImageDataset, Look
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.data._ids import Ids
from unlearn.errors import DataError
from unlearn.files import locked

__all__ = ["cifar10"]

FOLDER = "cifar-10-batches-py"
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
META = "batches.meta"
FILES = [*BATCHES["train"], *BATCHES["test"], META]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


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
    parent = _parent(cache, root)
    folder = parent / FOLDER
    if download and _absent(folder):
        _download(parent)
    if problem := _absent(folder):
        raise DataError(problem)

    def build(into: Path) -> tuple[Sequence[str], str]:
        for part, batches in BATCHES.items():
            read = [_read_batch(folder / name) for name in batches]
            new_pixels(into, part, (sum(len(labels) for _, labels in read), 3, 32, 32))[:] = np.concatenate(
                [data for data, _ in read]
            )
            save_labels(into, part, np.concatenate([labels for _, labels in read]))
        return _names(folder), "CIFAR-10's Python batches, uint8"

    return cached(cache, "cifar10", listing(folder, [folder / name for name in FILES]), build)


def look(cache: Path, *, root: str | Path | None = None, download: bool = True) -> Look:
    """What is missing or damaged; where it is still to be fetched, what it will be."""
    folder = _parent(cache, root) / FOLDER
    if problem := _absent(folder):
        if not download:
            return Look((problem,))
        return Look.of(CLASSES, np.repeat(np.arange(10), 5000), np.repeat(np.arange(10), 1000))
    try:
        train, test = (np.concatenate([_read_batch(folder / name)[1] for name in names]) for names in BATCHES.values())
        return Look.of(tuple(_names(folder)), train, test, Ids.of_rows(len(train)))
    except DataError as error:
        return Look((str(error),))


def _parent(cache: Path, root: str | Path | None) -> Path:
    return cache / "cifar10" if root is None else Path(root).expanduser()


def _absent(folder: Path) -> str | None:
    absent = [name for name in FILES if not (folder / name).is_file()]
    return f"expected CIFAR-10's Python batches in {folder}; missing: {', '.join(absent)}" if absent else None


def _names(folder: Path) -> list[str]:
    return [name.decode() for name in _entry(folder / META, b"label_names")]


def _read_batch(file: Path) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.int64]]]:
    data, labels = _entry(file, b"data"), np.asarray(_entry(file, b"labels"), np.int64)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), 3072):
        raise DataError(f"{file} must hold uint8 data of shape (N, 3072) with N labels")
    return data.reshape(-1, 3, 32, 32), labels


def _entry(file: Path, key: bytes) -> Any:
    try:
        with file.open("rb") as handle:
            return _ArrayUnpickler(handle, encoding="bytes").load()[key]
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{file} cannot be read as a CIFAR-10 batch: {error!r}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, strings, numbers and NumPy arrays; refuses every other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        known = {"ndarray": np.ndarray, "dtype": _dtype, "_reconstruct": np.zeros(0).__reduce__()[0]}
        homes = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}
        if module in homes and name in known:
            return known[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no data batch needs")


def _dtype(code: str | bytes, align: object = False, copy: object = True) -> np.dtype[Any]:
    """`numpy.dtype` as pickles of Python 2 call it, with 0 and 1 for flags, which NumPy is about to refuse."""
    name = code.decode() if isinstance(code, bytes) else code
    return np.dtype(name, align=bool(align), copy=bool(copy))


def _download(parent: Path) -> None:
    from torchvision.datasets import CIFAR10  # noqa: PLC0415  # a second of import time that a cached data set does not need
    from torchvision.datasets.utils import download_and_extract_archive  # noqa: PLC0415  # likewise

    with locked(parent / "download.lock"):
        if (parent / FOLDER / META).is_file():  # another process fetched it while we waited
            return
        try:
            download_and_extract_archive(CIFAR10.url, str(parent), filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
        except (OSError, RuntimeError, EOFError) as error:
            raise DataError(
                f"CIFAR-10 cannot be fetched ({error}); unpack cifar-10-python.tar.gz so that {parent / FOLDER} exists"
            ) from error

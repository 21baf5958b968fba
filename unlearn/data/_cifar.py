"""The published Python batches of CIFAR-10 and CIFAR-100, read by an unpickler that knows NumPy arrays and nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Look
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.data._ids import Ids
from unlearn.errors import DataError
from unlearn.files import expanded, locked


@dataclass(frozen=True)
class Batches:
    """A data set as its authors published it.

    Attributes:
        name: as people write it. key: as sweep files do.
        folder: which the archive unpacks to. library: torchvision's class of it, which knows where the archive is.
        parts: the files of the training and the test images. meta: the file of the classes' names.
        labels, names: under which key the labels stand in a part, and the names in `meta`.
        expected: how many training and test images each class has. classes: their names; both before a download.
    """

    name: str
    key: str
    folder: str
    library: str
    parts: Mapping[str, Sequence[str]]
    meta: str
    labels: bytes
    names: bytes
    expected: tuple[int, int]
    classes: tuple[str, ...]

    def dataset(self, cache: Path, root: str | Path | None, *, download: bool) -> ImageDataset:
        """The data set, decoded once.

        Raises:
            DataError: the batches are absent and cannot be fetched, or one of them is not what it should be.
        """
        parent = self._parent(cache, root)
        folder = parent / self.folder
        if download and self._absent(folder):
            self._download(parent)
        if problem := self._absent(folder):
            raise DataError(problem)

        def build(into: Path) -> tuple[Sequence[str], str]:
            for part, files in self.parts.items():
                read = [self._read(folder / name) for name in files]
                new_pixels(into, part, (sum(len(labels) for _, labels in read), 3, 32, 32))[:] = np.concatenate(
                    [data for data, _ in read]
                )
                save_labels(into, part, np.concatenate([labels for _, labels in read]))
            return self._class_names(folder), f"{self.name}'s Python batches, uint8"

        return cached(cache, self.key, listing(folder, [folder / name for name in self._files]), build)

    def look(self, cache: Path, root: str | Path | None, *, download: bool) -> Look:
        """What is missing or damaged; where it is still to be fetched, what it will be."""
        folder = self._parent(cache, root) / self.folder
        if problem := self._absent(folder):
            if not download:
                return Look((problem,))
            train, test = (np.repeat(np.arange(len(self.classes)), count) for count in self.expected)
            return Look.of(self.classes, train, test)
        try:
            train, test = (
                np.concatenate([self._read(folder / name)[1] for name in files]) for files in self.parts.values()
            )
            return Look.of(tuple(self._class_names(folder)), train, test, Ids.of_rows(len(train)))
        except DataError as error:
            return Look((str(error),))

    @property
    def _files(self) -> list[str]:
        return [*(name for files in self.parts.values() for name in files), self.meta]

    def _parent(self, cache: Path, root: str | Path | None) -> Path:
        return cache / self.library.lower() if root is None else expanded(root)

    def _absent(self, folder: Path) -> str | None:
        absent = [name for name in self._files if not (folder / name).is_file()]
        return f"expected {self.name}'s Python batches in {folder}; missing: {', '.join(absent)}" if absent else None

    def _class_names(self, folder: Path) -> list[str]:
        return [name.decode() for name in self._entry(folder / self.meta, self.names)]

    def _read(self, file: Path) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Labels]:
        data, labels = self._entry(file, b"data"), np.asarray(self._entry(file, self.labels), np.int64)
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), 3072):
            raise DataError(f"{file} must hold uint8 data of shape (N, 3072) with N labels")
        return data.reshape(-1, 3, 32, 32), labels

    def _entry(self, file: Path, key: bytes) -> Any:
        try:
            with file.open("rb") as handle:
                return _ArrayUnpickler(handle, encoding="bytes").load()[key]
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DataError(f"{file} cannot be read as a {self.name} batch: {error!r}") from error

    def _download(self, parent: Path) -> None:
        from torchvision import datasets  # noqa: PLC0415  # a second of import time that a cached data set does not need
        from torchvision.datasets.utils import download_and_extract_archive  # noqa: PLC0415  # likewise

        known = getattr(datasets, self.library)
        with locked(parent / "download.lock"):
            if not self._absent(parent / self.folder):  # another process fetched it while we waited
                return
            try:
                download_and_extract_archive(known.url, str(parent), filename=known.filename, md5=known.tgz_md5)
            except (OSError, RuntimeError, EOFError) as error:
                raise DataError(
                    f"{self.name} cannot be fetched ({error}); unpack {known.filename} so that {parent / self.folder} exists"
                ) from error


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


__all__ = ["Batches"]

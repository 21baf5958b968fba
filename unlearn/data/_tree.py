"""Data sets published as trees of image files: listed, checked, and decoded by parallel threads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from unlearn.data._base import ImageDataset, Labels, Look, Pixels
from unlearn.data._cache import cached, listing, new_pixels, save_labels
from unlearn.data._classes import few, natural
from unlearn.data._decode import check_depth, decode
from unlearn.data._ids import SUFFIXES, Ids, Indices
from unlearn.errors import DataError

#: A look decodes the first image of so many classes at most.
SAMPLED = 100

#: Class name → its image files.
Members = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Tree:
    """Image files by part and class, as listed; nothing is decoded yet.

    Attributes:
        train, test: the class order is `train`'s.
        problems: what was wrong with the folders, one sentence each.
        background: the grey level, 0 … 255, on which transparent pixels are laid; None refuses them.
        validation: images that no model is trained on, of some or all of the classes; None where no folder of them is named.
    """

    root: Path
    train: Members
    test: Members
    problems: Sequence[str] = ()
    background: int | None = None
    validation: Members | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.train))
        if self.problems:
            return
        absent = [
            f"every class must have {part} images; in {self.root} there are none for: {few(map(repr, without))}"
            for part, members in (("training", self.train), ("test", self.test))
            if (without := [name for name in {**self.train, **self.test} if not members.get(name)])
        ]
        strange = [name for name in self.validation or () if name not in self.train]
        if strange:
            absent.append(
                f"every class of the validation images must have training images; none for: {few(map(repr, strange))}"
            )
        object.__setattr__(self, "problems", tuple(absent))

    def look(self) -> Look:
        """What is wrong with the folders and with one image of each class; else the labels."""
        problems = self.problems or self._sampled()
        if problems:
            return Look(tuple(problems))
        train, test = (np.concatenate([self._labels(members) for members in part]) for part in self._parts.values())
        return Look.of(self.names, train, test, self._ids, self._held_out)

    def dataset(self, cache: Path, name: str) -> ImageDataset:
        """The files as RGB arrays, decoded once under `cache`.

        Raises:
            DataError: with everything that is wrong with the folders; or a file that cannot be decoded, or is of another size.
        """
        if self.problems:
            raise DataError("\n".join(self.problems))
        parts, files = self._parts, self._files

        def build(folder: Path) -> tuple[Sequence[str], str]:
            first = files["train"][0]
            shape = decode(first, self.background).pixels.shape
            kinds: Counter[str] = Counter()
            brightest: list[int] = []
            for part, of_part in parts.items():
                pixels = new_pixels(folder, part, (len(files[part]), *shape))
                found, deep = _decode_all(files[part], pixels, first, self.background)
                kinds += found
                brightest += deep
                save_labels(folder, part, np.concatenate([self._labels(members) for members in of_part]))
            if brightest:
                check_depth(max(brightest), f"the 16-bit images of {self.root}")
            return self.names, ", ".join(f"{count:,} × {kind}" for kind, count in kinds.most_common())

        source = listing(self.root, files["train"] + files["test"])
        if self._held_out is not None:  # the same files may be divided otherwise
            source = [source, {"held_out": len(self._held_out)}]
        data = cached(cache, name, source if self.background is None else [source, self.background], build)
        return replace(data, given_ids=self._ids, held_out=self._held_out)

    @property
    def _parts(self) -> dict[str, list[Members]]:
        """The files of each part: those for validation stand behind those to train on."""
        return {"train": [self.train, *([] if self.validation is None else [self.validation])], "test": [self.test]}

    @property
    def _files(self) -> dict[str, list[Path]]:
        return {
            part: [file for members in of_part for name in self.names for file in members.get(name, ())]
            for part, of_part in self._parts.items()
        }

    @property
    def _ids(self) -> Ids:
        names = {part: [f.relative_to(self.root).as_posix() for f in files] for part, files in self._files.items()}
        return Ids(names["train"], names["test"], self.root)

    @property
    def _held_out(self) -> Indices | None:
        if self.validation is None:
            return None
        count, first = (sum(map(len, members.values())) for members in (self.validation, self.train))
        return np.arange(first, first + count)

    def _labels(self, members: Members) -> Labels:
        return np.repeat(np.arange(len(self.names)), [len(members.get(name, ())) for name in self.names])

    def _sampled(self) -> list[str]:
        """What is wrong with the first image of each class, in either part."""
        files = [members[name][0] for members in (self.train, self.test) for name in self.names]
        problems, sizes = [], {}
        for file in islice(files, SAMPLED):
            try:
                sizes[file] = decode(file, self.background).pixels.shape
            except DataError as error:
                problems.append(str(error))
        first = next(iter(sizes), None)
        problems += [_of_one_size(first, sizes[first], f, s) for f, s in sizes.items() if first and s != sizes[first]]
        return problems


def image_files(folder: Path) -> tuple[list[Path], list[str]]:
    """(the image files directly in `folder`, by suffix, sorted by name; its problems). Hidden files are none."""
    try:
        with os.scandir(folder) as entries:
            found = [e for e in entries if not e.name.startswith(".") and Path(e.name).suffix.lower() in SUFFIXES]
    except OSError as error:
        return [], [f"{folder} cannot be read: {error.strerror}"]
    dangling = sorted(e.path for e in found if e.is_symlink() and not Path(e.path).exists())
    return sorted(Path(e.path) for e in found if e.is_file()), (
        [f"these links lead to no file: {few(dangling)}"] if dangling else []
    )


def class_folders(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """(the members of each class in a `<class>/<image>` tree, classes in natural order; the tree's problems)."""
    names, problems = folder_names(folder)
    members, deeper = {}, []
    for name in names:
        members[name], found = image_files(folder / name)
        problems += found
        deeper += [
            str(f) for f in sorted((folder / name).glob("*/")) if not f.name.startswith(".") and image_files(f)[0]
        ]
    if deeper:
        problems.append(
            f"images must lie in their class's folder itself, and these folders in one hold some: {few(deeper)}"
        )
    return members, problems


def folder_names(folder: Path) -> tuple[list[str], list[str]]:
    """(the names of the class folders in `folder`, in natural order; its problems)."""
    if not folder.is_dir():
        return [], [f"expected a folder of class folders at {folder}, but there is none"]
    try:
        names = sorted((f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")), key=natural)
    except OSError as error:
        return [], [f"{folder} cannot be read: {error.strerror}"]
    return names, [] if names else [f"expected one folder per class in {folder}, but found none"]


def check_background(background: int | None) -> list[str]:
    """What is wrong with the option `background`."""
    if background is None or (type(background) is int and 0 <= background <= 255):
        return []
    return [f"background must be a grey level in 0 … 255, got {background!r}"]


def _decode_all(
    files: Sequence[Path], out: Pixels, first: Path, background: int | None
) -> tuple[Counter[str], Iterable[int]]:
    """Fill `out`, shape (files, 3, H, W); returns the kinds of files, and the brightest value of each 16-bit one.

    PIL decodes without Python's global lock, so threads run side by side.
    """

    def fill(row: int) -> tuple[str, int | None]:
        read = decode(files[row], background)
        if read.pixels.shape != out.shape[1:]:
            raise DataError(_of_one_size(first, out.shape[1:], files[row], read.pixels.shape))
        out[row] = read.pixels
        return read.kind, int(read.pixels.max()) if read.deep else None

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(fill, range(len(files))))
    return Counter(kind for kind, _ in results), [value for _, value in results if value is not None]


def _of_one_size(first: Path, shape: tuple[int, ...], other: Path, found: tuple[int, ...]) -> str:
    a, b = (f"{size[2]}×{size[1]}" for size in (shape, found))
    return f"all images must have one size, but {first} is {a} and {other} is {b}"


__all__ = ["Tree", "check_background", "class_folders", "folder_names", "image_files"]

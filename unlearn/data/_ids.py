"""What a user calls the images of a data set, and lists of such ids in files."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from unlearn.errors import UnlearnError

__all__ = ["Ids", "IdsError", "Indices", "ids_digest", "listed", "read_ids"]

Indices = npt.NDArray[np.int64]

#: Of image files.
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
#: How many ids of one kind a message names.
SHOWN = 20


class IdsError(UnlearnError):
    """Ids that name no images, or not the right ones.

    Attributes:
        problems: everything that is wrong with them, one sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Ids:
    """Names of the images as the user has them: row numbers of arrays, or file names relative to the data set's folder.

    Attributes:
        train, test: one for each image, in the data set's order. Test images of arrays have no ids.
        root: the folder that file names are relative to; None where ids are row numbers.
    """

    train: Sequence[str] | Indices
    test: Sequence[str] | Indices = ()
    root: Path | None = None

    @staticmethod
    def of_rows(count: int) -> Ids:
        """Row numbers 0 … count − 1 of the training images."""
        return Ids(np.arange(count))

    def rows(self, wanted: Sequence[str]) -> Indices:
        """The positions of training images among the data set's, in the order of `wanted`.

        Raises:
            IdsError: with all that are doubled, that name nothing, or that name test images.
        """
        names = [self._plain(name) for name in wanted]
        doubled = [name for name, count in Counter(names).items() if count > 1]
        of_test = [name for name in dict.fromkeys(names) if name not in self._rows and name in self._tested]
        nowhere = [name for name in dict.fromkeys(names) if name not in self._rows and name not in self._tested]
        problems = [
            f"{words}: {listed(of)}"
            for words, of in (
                ("each id must be listed once; these are there several times", doubled),
                ("ids must be of training images; these are test images", of_test),
                (f"ids must be {self._kind}; these are none", nowhere),
            )
            if of
        ]
        if problems:
            raise IdsError(problems)
        return np.array([self._rows[name] for name in names], np.int64)

    def only_known(self, wanted: Sequence[str]) -> list[str]:
        """Those that name training images, each once."""
        return list(dict.fromkeys(name for name in map(self._plain, wanted) if name in self._rows))

    def names(self, rows: Iterable[int]) -> list[str]:
        """The ids of training images, by their positions in the data set."""
        return [str(self.train[row]) for row in rows]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(name): row for row, name in enumerate(self.train)}

    @cached_property
    def _tested(self) -> frozenset[str]:
        return frozenset(map(str, self.test))

    @cached_property
    def _by_text(self) -> dict[str, str]:
        """File names by what they read: an accent may be a letter's own or stand behind it, as some systems write all of them.

        Without those that read alike.
        """
        names = [*self._rows, *self._tested]
        read = Counter(texts := [normalize("NFC", name) for name in names])
        return {text: name for text, name in zip(texts, names, strict=True) if read[text] == 1}

    @property
    def _kind(self) -> str:
        if self.root is not None:
            return f"file names relative to {self.root}, such as {self.train[0]}"
        return f"row numbers of the training images in {min(map(int, self.train))} … {max(map(int, self.train))}"

    def _plain(self, name: str) -> str:
        """An id as it is known here: whole numbers without leading zeros, paths without what leads to the folder."""
        if self.root is None:
            return str(int(name)) if name.isascii() and name.isdigit() and len(name) < 19 else name
        path, root = Path(name), self.root.absolute()
        if path.is_absolute():
            if not path.is_relative_to(root):
                return name
            path = path.relative_to(root)
        found = path.as_posix()
        known = found in self._rows or found in self._tested
        return found if known else self._by_text.get(normalize("NFC", found), found)


def listed(names: Sequence[object]) -> str:
    """The names, cut where there are very many."""
    more = len(names) - SHOWN
    return ", ".join(map(str, names[:SHOWN])) + (f" and {more:,} more" if more > 0 else "")


def read_ids(path: Path, column: str | None = None) -> list[str]:
    """The ids in a file: one a line, or those of one column of a CSV file (`.csv`) that begins with the columns' names.

    Args:
        column: its name; `id` by default, or the only one.

    Raises:
        IdsError: there is no such file or column, it is no text, or it lists nothing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(file)
    except OSError as error:
        raise IdsError([f"{path} must be a file of ids, and it cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise IdsError([f"{path} must be text in UTF-8: {error.reason} at byte {error.start}"]) from error
    plain = column is None and path.suffix.lower() != ".csv"
    found = [line.strip() for line in lines] if plain else _column(path, lines, column)
    ids = [name for name in found if name]
    if not ids:
        raise IdsError([f"{path} must list at least one id, and it lists none"])
    return ids


def _column(path: Path, lines: Sequence[str], column: str | None) -> list[str]:
    reader = csv.DictReader(lines, strict=True)
    try:
        columns = [name for name in reader.fieldnames or [] if name]
        rows = list(reader)
    except csv.Error as error:  # a quotation mark that is never closed would take the rest of the file for one field
        raise IdsError([f"{path} must be a CSV file: {error}"]) from error
    if (
        len(columns) == 1 and re.search(r"[;\t]", columns[0]) and column != columns[0]
    ):  # as some spreadsheets write them
        raise IdsError([f"{path} must have commas between its columns, and begins with {columns[0]!r}"])
    name = column or (columns[0] if len(columns) == 1 else "id")
    if name not in columns:
        raise IdsError(
            [
                f"{path} must have a column {name!r}, got {', '.join(columns) or 'none'}: name the one with the ids (column)"
            ]
        )
    if columns.count(name) > 1:
        raise IdsError([f"{path} must have one column {name!r}, and has {columns.count(name)} of that name"])
    if column is None and _names_an_image(name):
        raise IdsError(
            [
                f"{path} must begin with its columns' names, and begins with {name!r}, which is like an id: "
                "put a line id before it, or call the file .txt"
            ]
        )
    found = [(row[name] or "").strip() for row in rows]
    without = [
        number for number, (id_, row) in enumerate(zip(found, rows, strict=True), 1) if not id_ and _holds_any(row)
    ]
    if without:
        raise IdsError([f"{path} must have an id in each row, and these have none: {listed(without)}"])
    # what stands beyond the last column may be ids that are written side by side, or the rest of one with a comma
    longer = [number for number, row in enumerate(rows, 1) if "".join(row.get(None) or ()).strip()]
    if longer:
        rule = f"{path} must have no more values in a row than columns, and these have more"
        raise IdsError([f"{rule}: {listed(longer)} (quote an id with a comma)"])
    return found


def _names_an_image(name: str) -> bool:
    """Whether a column's name is what the images of a data set are called: a row number, a path, or a file."""
    path = "/" in name or Path(name.strip()).suffix.lower() in SUFFIXES
    return path or re.fullmatch(r"\s*[+-]?\d+(\.0*)?\s*", name) is not None


def _holds_any(row: Mapping[str | None, str | list[str] | None]) -> bool:
    """Whether anything but spaces and commas stands in a row."""
    return any("".join(cell or ()).strip() for cell in row.values())


def ids_digest(ids: Iterable[str]) -> str:
    """SHA-256 of a set of ids: the same whatever their order."""
    return hashlib.sha256("\n".join(sorted(ids)).encode("utf-8", "surrogateescape")).hexdigest()

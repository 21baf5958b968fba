"""A table as it is printed: cells with text, emphasis and a value to sort by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

__all__ = ["Cell", "Row", "Table"]


@dataclass(frozen=True)
class Cell:
    """One cell: its text, what it sorts by, whether it is the best (bold) or not told apart from the best (≈)."""

    text: str
    sort: float | str | None = None
    best: bool = False
    tied: bool = False
    method: str | None = None


@dataclass(frozen=True)
class Row:
    """One row; `method` names the method that it speaks of, so that a filter can hide it; `last` keeps it below when sorted."""

    cells: tuple[Cell, ...]
    method: str | None = None
    last: bool = False


@dataclass(frozen=True)
class Table:
    """A printed table.

    Attributes:
        key: file name without its ending.
        columns: headers; each a text and, where the column belongs to a method, the method's key.
        data: what the CSV holds, unrounded.
        notes: lines printed beneath. compared: whether cells are marked as best and not told apart.
    """

    key: str
    title: str
    columns: tuple[Cell, ...]
    rows: tuple[Row, ...]
    data: pd.DataFrame
    notes: Sequence[str] = field(default_factory=tuple)
    compared: bool = False
    sortable: bool = True

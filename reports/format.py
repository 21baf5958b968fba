"""A table as it is printed: cells with text, emphasis and a value to sort by; and numbers with no more digits than they carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

__all__ = ["Cell", "Row", "Table", "decimals", "number", "significant", "uncertain"]

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """One cell: its text, what it sorts by, whether it is the best (bold) or not distinguishable from the best (≈)."""

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
        notes: lines printed beneath. compared: whether cells are marked as best and not distinguishable.
    """

    key: str
    title: str
    columns: tuple[Cell, ...]
    rows: tuple[Row, ...]
    data: pd.DataFrame
    notes: Sequence[str] = field(default_factory=tuple)
    compared: bool = False
    sortable: bool = True


def decimals(error: float) -> int | None:
    """Decimal places that an error justifies: one significant digit, two where it begins with 1; None without an error."""
    if not math.isfinite(error) or error <= 0:
        return None
    exponent = math.floor(math.log10(error))
    digits = 2 if error / 10**exponent < 1.95 else 1
    return max(0, digits - 1 - exponent)


def significant(value: float, digits: int = 3) -> str:
    """`digits` significant digits, plain between 1e-4 and 1e6, else scientific."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if not -5 < exponent < 6:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def number(value: object) -> str:
    """A hyperparameter or count as a person writes it."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.4g}"


def uncertain(mean: float, std: float, n: int) -> str:
    """`mean ± std` to the digits that the std carries; without a std (n = 1), the mean alone."""
    if n == 0 or not math.isfinite(mean):
        return MISSING
    places = decimals(std)
    if places is None:
        spread = " ± 0" if n > 1 and std == 0 else ""
        return f"{mean:.2f}{spread}" if 0.01 <= abs(mean) < 1000 or mean == 0 else f"{significant(mean)}{spread}"
    return f"{mean:.{places}f} ± {std:.{places}f}"

"""Tables that suit the terminal's width: no name is broken, and no column left out."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps.text import clean

Cells = Sequence[str]
#: At which no line is wrapped.
HARD_SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Rows:
    """Rows of texts: first the names that tell a row, then its values; texts among the values may be wrapped."""

    names: Cells
    values: Cells
    rows: Sequence[Cells]
    texts: frozenset[str] = frozenset()


def print_rows(console: Console, table: Rows, *, title: str = "") -> None:
    """A table; in a narrower terminal one grouped by all names but the last; in a still narrower one a few lines for each row."""
    anywhere = console.options.update(max_width=10**6)
    if title:
        console.print(_wrapped(title, console.width))
    for layout in (_whole(table), _grouped(table)):
        if layout is not None and console.measure(layout, options=anywhere).minimum <= console.width:
            console.print(layout)
            return
    for line in _lines(table, console.width):
        console.print(Text(line, overflow="ignore", no_wrap=True), crop=False)


def _whole(table: Rows) -> Table:
    return _drawn(table, table.names, table.rows)


def _grouped(table: Rows) -> Table | None:
    count = len(table.names)
    if count < 2:
        return None
    rows: list[Cells] = []
    for group, members in itertools.groupby(table.rows, key=lambda row: tuple(row[: count - 1])):
        rows.append([_joined(group), *("" for _ in table.values)])
        rows += [[f"  {row[count - 1]}", *row[count:]] for row in members]
    return _drawn(table, [_joined(table.names)], rows)


def _drawn(table: Rows, names: Cells, rows: Sequence[Cells]) -> Table:
    """A table whose columns are never narrower than their longest entry, or word of a text."""
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    cells = [[clean(cell) for cell in row] for row in rows]
    for i, heading in enumerate((*names, *table.values)):
        text = heading in table.texts
        column = [heading, *(row[i] for row in cells)]
        parts = [word for entry in column for word in entry.split()] if text else column
        left = text or i < len(names)
        least = max(map(cell_len, parts), default=1)
        drawn.add_column(heading, justify="left" if left else "right", no_wrap=not text, min_width=least)
    for row in cells:
        drawn.add_row(*map(Text, row))
    return drawn


def _lines(table: Rows, width: int) -> Iterator[str]:
    """Each row's names, and below them its values with what they are."""
    count = len(table.names)
    for row in table.rows:
        yield from _wrap(_joined(row[:count]), width)
        values = [f"{name} {value}" for name, value in zip(table.values, row[count:], strict=True) if value]
        whole = [value.replace(" ", HARD_SPACE) if len(value) < width - 4 else value for value in values]
        for line in _wrap(", ".join(whole), width, indent="  "):
            yield line.replace(HARD_SPACE, " ")


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        clean(text),
        width,
        initial_indent=indent,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _wrapped(text: str, width: int) -> Text:
    return Text("\n".join(_wrap(text, width)), overflow="ignore", no_wrap=True)


def _joined(names: Cells) -> str:
    return " · ".join(name for name in names if name)

"""Tables, drawings and legends as HTML; every text is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from reports.figures import Drawing
from reports.format import Cell, Row, Table
from reports.styles import MethodStyle
from reports.writers import slug

__all__ = ["figure_data", "figure_html", "legend_html", "script_json", "sentence_html", "swatch", "table_html"]


_WORDS = ' class="words"'
#: Characters of notes that are not folded.
_MOST_SHOWN = 160


def table_html(table: Table) -> str:
    """A sortable table with its notes and links to its files."""
    if table.sortable:
        words = [any(isinstance(r.cells[i].sort, str) for r in table.rows) for i in range(len(table.columns))]
        heads = "".join(
            f'<th scope="col"{_WORDS if text else ""}><button type="button">{escape(c.text)}</button></th>'
            for c, text in zip(table.columns, words, strict=True)
        )
    else:
        heads = "".join(f'<th scope="col"{_method(c.method)}>{escape(c.text)}</th>' for c in table.columns)
    rows = "\n".join(_row(row) for row in table.rows)
    file = escape(slug(table.key), quote=True)
    links = " ".join(f'<a href="tables/{file}.{e}">{e}</a>' for e in ("csv", "md", "tex"))
    notes = [sentence_html(n) for n in table.notes]
    marks = '<b>Bold</b>: the least mean; ≈: not told apart from it (<a href="#comparison">how</a>).'
    first = [*([marks] if table.compared else []), *notes[:1]]
    kind = "sortable" if table.sortable else "fixed"
    return (
        f'<figure class="table"><figcaption>{escape(table.title)} <span class="files">{links}</span></figcaption>\n'
        f'<div class="scroll" tabindex="0"><table class="{kind}" id="table-{file}"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>\n{_notes_html(first, notes[1:])}</figure>"
    )


def sentence_html(text: str) -> str:
    """A sentence; a command that ends it as code."""
    said, colon, command = text.partition(": sweeps ")
    return f"{escape(said)}: <code>sweeps {escape(command)}</code>" if colon else escape(text)


def _notes_html(first: list[str], rest: list[str]) -> str:
    """Notes below a table: the first ones, and the rest folded where it is long."""
    if sum(map(len, rest)) <= _MOST_SHOWN:
        return f'<p class="note">{" ".join([*first, *rest])}</p>'
    folded = f'<details class="note"><summary>What these numbers are</summary>{" ".join(rest)}</details>'
    return f'<p class="note">{" ".join(first)}</p>{folded}'


def figure_html(drawing: Drawing, identifier: str) -> str:
    """The place where a figure will be drawn, with its title, legend and note."""
    heights = f"--wide:{int(drawing.wide.layout.height)}px;--narrow:{int(drawing.narrow.layout.height)}px"
    return (
        f'<figure class="drawing"{_method(drawing.method)}><figcaption>{escape(drawing.title)}</figcaption>\n'
        f"{legend_html(drawing.legend)}"
        f'<div class="plot" id="{identifier}" style="{heights}"></div>\n'
        f'<p class="note">{escape(drawing.note)}</p></figure>'
    )


def figure_data(drawing: Drawing, identifier: str) -> dict[str, Any]:
    """What the page's script draws: traces, and one layout for a wide page and one for a phone."""
    plain = json.loads(drawing.wide.to_json())
    layouts = {"wide": plain["layout"], "narrow": json.loads(drawing.narrow.to_json())["layout"]}
    return {
        "id": identifier,
        "file": slug(drawing.key),
        "data": plain["data"],
        "layouts": layouts,
        "columns": drawing.columns,
    }


def legend_html(styles: Iterable[MethodStyle]) -> str:
    """Methods with their line and marker; empty without methods."""
    entries = "".join(f"<li{_method(s.key)}>{swatch(s)} {escape(s.label)}</li>" for s in styles)
    return f'<ul class="legend">{entries}</ul>\n' if entries else ""


def swatch(style: MethodStyle) -> str:
    """A method's line and marker as a small picture."""
    dash = {"solid": "", "dash": ' stroke-dasharray="5 3"', "dot": ' stroke-dasharray="1.5 2.5"'}[style.dash]
    marker = {
        "circle": '<circle cx="13" cy="6" r="4"/>',
        "square": '<rect x="9" y="2" width="8" height="8"/>',
        "diamond": '<path d="M13 1l5 5-5 5-5-5z"/>',
    }[style.symbol]
    return (
        f'<svg width="26" height="12" viewBox="0 0 26 12" aria-hidden="true" fill="{style.colour}">'
        f'<path d="M0 6h26" stroke="{style.colour}" stroke-width="2"{dash}/>{marker}</svg>'
    )


def script_json(value: Any) -> str:
    """JSON that is safe inside a <script> element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _row(row: Row) -> str:
    cells = "".join(_cell(c) for c in row.cells)
    last = ' class="last"' if row.last else ""
    return f"<tr{last}{_method(row.method)}>{cells}</tr>"


def _cell(cell: Cell) -> str:
    sort = "" if cell.sort is None else f' data-sort="{escape(str(cell.sort), quote=True)}"'
    if isinstance(cell.sort, str):
        sort += _WORDS
    text = escape(cell.text)
    if cell.best:
        text = f"<b>{text}</b>"
    elif cell.tied:
        text = f'{text}<span class="tied" title="not told apart from the best">≈</span>'
    return f"<td{sort}{_method(cell.method)}>{text}</td>"


def _method(key: str | None) -> str:
    return "" if key is None else f' data-method="{escape(key, quote=True)}"'

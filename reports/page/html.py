"""Tables, drawings and legends as HTML; every text is escaped here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from plotly.utils import PlotlyJSONEncoder

from reports.figures import Drawing
from reports.format import Cell, Row, Table
from reports.page.terms import NO_TERMS, Terms
from reports.styles import MethodStyle
from reports.writers import slug

__all__ = [
    "figure_data",
    "figure_html",
    "folded",
    "legend_html",
    "script_json",
    "sentence_html",
    "swatch",
    "table_html",
]


#: Characters of notes that are not folded.
_MOST_SHOWN = 160


def table_html(table: Table, terms: Terms = NO_TERMS) -> str:
    """A sortable table with its notes and links to its files."""
    frozen = next((i for i, c in enumerate(table.columns) if c.text == "Method"), 0)
    if table.sortable:
        words = [any(isinstance(r.cells[i].sort, str) for r in table.rows) for i in range(len(table.columns))]
        heads = "".join(
            f'<th scope="col"{_classes(text, i == frozen)}><button type="button">{terms.explained(c.text)}</button></th>'
            for i, (c, text) in enumerate(zip(table.columns, words, strict=True))
        )
    else:
        heads = "".join(
            f'<th scope="col"{_classes(False, i == frozen)}{_method(c.method)}>{terms.explained(c.text)}</th>'
            for i, c in enumerate(table.columns)
        )
    rows = "\n".join(_row(row, frozen) for row in table.rows)
    file = escape(slug(table.key), quote=True)
    links = " ".join(f'<a href="tables/{file}.{e}">{e}</a>' for e in ("csv", "md", "tex"))
    notes = [sentence_html(n, terms) for n in table.notes]
    marks = '<b>Bold</b>: the least mean; ≈: not told apart from it (<a href="#comparison">how</a>).'
    first = [*([marks] if table.compared else []), *notes[:1]]
    kind = "sortable" if table.sortable else "fixed"
    return (
        f'<figure class="table"><figcaption>{escape(table.title)} <span class="files">{links}</span></figcaption>\n'
        f'<div class="scroll" tabindex="0"><table class="{kind}" id="table-{file}"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>\n{_notes_html(first, notes[1:])}</figure>"
    )


def sentence_html(text: str, terms: Terms = NO_TERMS) -> str:
    """A sentence; a command that ends it as code."""
    said, colon, command = text.partition(": sweeps ")
    if not colon:
        return terms.explained(text)
    whole = re.sub(r"--[a-z-]+", r'<span class="option">\g<0></span>', escape(command))  # no line ends within `--set`
    return f"{terms.explained(said)}: <code>sweeps {whole}</code>"


def folded(summary: str, inner: str, *, kind: str = "", anchor: str = "", opened: bool = False) -> str:
    """What a reader opens by its `summary`; both are HTML already."""
    marks = (f' class="{kind}"' if kind else "") + (f' id="{anchor}"' if anchor else "") + (" open" if opened else "")
    return f"<details{marks}><summary>{summary}</summary>\n{inner}</details>"


def _notes_html(first: list[str], rest: list[str]) -> str:
    """Notes below a table: the first ones, and the rest folded where it is long."""
    if sum(map(len, rest)) <= _MOST_SHOWN:
        return f'<p class="note">{" ".join([*first, *rest])}</p>'
    more = folded("What these numbers are", " ".join(rest), kind="note")
    return f'<p class="note">{" ".join(first)}</p>{more}'


def figure_html(drawing: Drawing, identifier: str, terms: Terms = NO_TERMS) -> str:
    """The place where a figure will be drawn, with its title, legend and note."""
    wide, narrow = (int(laid_out["layout"]["height"]) for laid_out in (drawing.wide(), drawing.narrow()))
    heights = f"--wide:{wide}px;--narrow:{narrow}px"
    return (
        f'<figure class="drawing"{_method(drawing.method)}><figcaption>{escape(drawing.title)}</figcaption>\n'
        f"{legend_html(drawing.legend)}"
        f'<div class="plot" id="{identifier}" style="{heights}"></div>\n'
        f'<p class="note">{terms.explained(drawing.note)}</p></figure>'
    )


def figure_data(drawing: Drawing, identifier: str) -> dict[str, Any]:
    """What the page's script draws: traces, and one layout for a wide page and one for a phone."""
    wide = drawing.wide()
    figure = {
        "id": identifier,
        "file": slug(drawing.key),
        "data": wide["data"],
        "layouts": {"wide": wide["layout"], "narrow": drawing.narrow()["layout"]},
        "columns": drawing.columns,
    }
    plain: dict[str, Any] = json.loads(json.dumps(figure, cls=PlotlyJSONEncoder))  # what is not finite is null
    return plain


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


def _row(row: Row, frozen: int) -> str:
    cells = "".join(_cell(c, i == frozen) for i, c in enumerate(row.cells))
    last = ' class="last"' if row.last else ""
    return f"<tr{last}{_method(row.method)}>{cells}</tr>"


def _cell(cell: Cell, frozen: bool) -> str:
    sort = "" if cell.sort is None else f' data-sort="{escape(str(cell.sort), quote=True)}"'
    sort += _classes(isinstance(cell.sort, str), frozen)
    text = escape(cell.text)
    if cell.best:
        text = f"<b>{text}</b>"
    elif cell.tied:
        text = f'{text}<span class="tied" title="not told apart from the best">≈</span>'
    return f"<td{sort}{_method(cell.method)}>{text}</td>"


def _classes(words: bool, frozen: bool) -> str:
    names = [name for name, on in (("words", words), ("frozen", frozen)) if on]
    return f' class="{" ".join(names)}"' if names else ""


def _method(key: str | None) -> str:
    return "" if key is None else f' data-method="{escape(key, quote=True)}"'

"""The page: one self-contained HTML file that opens offline from disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

from plotly.offline import get_plotlyjs

from reports import figures
from reports.content import Block, Section
from reports.figures import Drawing
from reports.page.html import figure_data, figure_html, folded, script_json, swatch, table_html
from reports.page.reproduce import steps
from reports.page.summary import summary_html
from reports.page.terms import NO_TERMS, Terms, terms_of
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["render_comparison", "render_page"]

_BEFORE = '<li><a href="#summary">Summary</a></li>'
_AFTER = '<li><a href="#reproduce">How to reproduce</a></li><li><a href="#provenance">Spec and provenance</a></li>'

#: Name of the `meta` element that tells from which state of the storage a page was made.
FINGERPRINT = "unlearn-sweeps-fingerprint"


def render_page(record: SweepRecord, sections: list[Section], styles: dict[str, MethodStyle], *, partial: bool) -> str:
    """The report as HTML text."""
    scores, terms = figures.score_bars(record, styles), terms_of(record)
    drawings = [*([scores] if scores is not None else []), *_drawings(sections)]
    identifiers = {id(d): f"figure-{i}" for i, d in enumerate(drawings)}
    drawn = "" if scores is None else figure_html(scores, identifiers[id(scores)], terms)
    body = [
        _top(record, partial),
        '<div class="frame">',
        _side(styles, sections, _BEFORE, _AFTER),
        "<main>",
        summary_html(record, styles, terms, drawn, partial=partial),
        *(_section(s, f"s{i}", identifiers, terms) for i, s in enumerate(sections)),
        _reproduce(record),
        _provenance(record),
        "</main></div>",
    ]
    return _document(f"{record.name}: unlearning sweep", body, drawings, identifiers, record.fingerprint)


def render_comparison(names: list[str], sections: list[Section], styles: dict[str, MethodStyle]) -> str:
    """Several sweeps on one page, as HTML text."""
    drawings, title = _drawings(sections), ", ".join(names)
    identifiers = {id(d): f"figure-{i}" for i, d in enumerate(drawings)}
    body = [
        f'<header class="top"><h1>{escape(title)}</h1><p class="lead">Machine-unlearning sweeps side by side</p></header>',
        '<div class="frame">',
        _side(styles, sections),
        "<main>",
        *(_section(s, f"s{i}", identifiers, opened=True) for i, s in enumerate(sections)),  # there is no summary
        "</main></div>",
    ]
    return _document(f"{title}: unlearning sweeps compared", body, drawings, identifiers)


def _drawings(sections: list[Section]) -> list[Drawing]:
    return [p for s in sections for b in s.blocks for p in b.parts if isinstance(p, Drawing)]


def _document(
    title: str, body: list[str], drawings: list[Drawing], identifiers: dict[int, str], fingerprint: str = ""
) -> str:
    data = script_json([figure_data(d, identifiers[id(d)]) for d in drawings])
    scales = {"light": figures.DIVERGING, "dark": figures.DIVERGING_DARK}
    themes = {n: {"template": figures.template(n == "dark"), "diverging": scale} for n, scale in scales.items()}
    assets = files("reports.page")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            *([f'<meta name="{FINGERPRINT}" content="{escape(fingerprint, quote=True)}">'] if fingerprint else []),
            f"<title>{escape(title)}</title>",
            '<link rel="icon" href="data:,">',
            f"<style>{assets.joinpath('page.css').read_text(encoding='utf-8')}</style></head><body>",
            *body,
            f'<script type="application/json" id="figures">{data}</script>',
            f'<script type="application/json" id="themes">{script_json(themes)}</script>',
            f"<script>{get_plotlyjs()}</script>",
            f"<script>{assets.joinpath('page.js').read_text(encoding='utf-8')}</script>",
            "</body></html>",
            "",
        ]
    )


def _top(record: SweepRecord, partial: bool) -> str:
    spec = record.spec
    badge = '<span class="badge partial">partial</span>' if partial else '<span class="badge">complete</span>'
    parts = [_name(spec.get(k)) for k in ("dataset", "model") if spec.get(k)]
    lead = " · ".join(escape(p) for p in parts)
    return (
        f'<header class="top"><h1>{escape(record.name)} {badge}</h1>'
        f'<p class="lead">Machine-unlearning sweep{f": {lead}" if lead else ""}</p></header>'
    )


def _name(value: object) -> str:
    return str(value.get("name", "")) if isinstance(value, dict) else str(value)


def _filter(styles: dict[str, MethodStyle]) -> str:
    chips = "".join(
        f'<button type="button" aria-pressed="true" data-method="{escape(s.key, quote=True)}">'
        f"{swatch(s)}{escape(s.label)}</button>"
        for s in styles.values()
    )
    return (
        '<div class="filter" role="group" aria-label="Filter by method"><span class="name">Methods</span>'
        f'<button type="button" class="all">all / none</button>{chips}</div>'
    )


def _side(styles: dict[str, MethodStyle], sections: list[Section], before: str = "", after: str = "") -> str:
    """Contents and the filter: beside the page, on a phone above it."""
    entries = [before]
    for i, section in enumerate(sections):
        inner = "".join(
            f'<li><a href="#s{i}-{j}">{escape(b.title)}</a></li>' for j, b in enumerate(section.blocks) if b.parts
        )
        entries.append(f'<li><a href="#s{i}">{escape(section.title)}</a><ul>{inner}</ul></li>')
    contents = f'<nav class="contents" aria-label="Contents"><ol>{"".join([*entries, after])}</ol></nav>'
    return f'<aside class="side">{_filter(styles)}{folded("Contents", contents, kind="contents", opened=True)}</aside>'


def _section(
    section: Section, anchor: str, identifiers: dict[int, str], terms: Terms = NO_TERMS, *, opened: bool = False
) -> str:
    blocks = "\n".join(
        _block(b, f"{anchor}-{j}", identifiers, terms, opened=opened) for j, b in enumerate(section.blocks)
    )
    title = f"<h2>{escape(section.title)}</h2>"
    return f"<section>{folded(title, blocks, kind='scenario', anchor=anchor, opened=True)}</section>"


def _block(block: Block, anchor: str, identifiers: dict[int, str], terms: Terms, *, opened: bool) -> str:
    """A block that folds; one line where there is nothing to show."""
    if not block.parts:
        return f'<p class="line" id="{anchor}"><b>{escape(block.title)}.</b> {escape(block.missing)}</p>'
    parts = [
        figure_html(p, identifiers[id(p)], terms) if isinstance(p, Drawing) else table_html(p, terms)
        for p in block.parts
    ]
    if block.missing:
        parts.insert(0, f'<p class="missing">{escape(block.missing)}</p>')
    title = f'<h3>{escape(block.title)}</h3> <span class="holds">{block.holds}</span>'
    return folded(title, "\n".join(parts), kind="block", anchor=anchor, opened=opened)


def _reproduce(record: SweepRecord) -> str:
    lines = [line for command, why in steps(record) for line in (f"# {why}", command)]
    return (
        '<section><details id="reproduce" class="scenario"><summary><h2>How to reproduce</h2></summary>'
        f"<pre>{escape(chr(10).join(lines))}</pre>"
        '<p class="note">As typed, *** for a password. '
        "The resolved spec below is the sweep's file with every default written out.</p></details></section>"
    )


def _provenance(record: SweepRecord) -> str:
    facts = {**({"data": record.data} if record.data else {}), **record.provenance}
    entries = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _flat(facts))
    spec = json.dumps(record.spec, indent=2, ensure_ascii=False, default=str)
    return (
        '<section><details id="provenance" class="scenario"><summary><h2>Spec and provenance</h2></summary>'
        f"<dl>{entries or '<dt>provenance</dt><dd>none stored</dd>'}</dl>"
        f"<details><summary>Resolved spec</summary><pre>{escape(spec)}</pre></details></details></section>"
    )


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(value)

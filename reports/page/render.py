"""The page: one self-contained HTML file that opens offline from disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

from plotly.offline import get_plotlyjs

from reports import figures, frames, tables
from reports.content import Block, Section
from reports.figures import Drawing
from reports.names import method_label, scenario_label
from reports.page.html import figure_data, figure_html, script_json, sentence_html, swatch, table_html
from reports.page.reproduce import steps
from reports.styles import MethodStyle
from reports.summary import Verdict, cost_sentence, missing_work, one_draw_sentence, protocol_sentence, verdict
from reports.told import COMPARED
from sweeps.record import SweepRecord

__all__ = ["render_comparison", "render_page"]

_MOST_FAILURES = 8


#: Name of the `meta` element that tells from which state of the storage a page was made.
FINGERPRINT = "unlearn-sweeps-fingerprint"


def render_page(record: SweepRecord, sections: list[Section], styles: dict[str, MethodStyle], *, partial: bool) -> str:
    """The report as HTML text."""
    identifiers = _identifiers(sections)
    body = [
        _top(record, partial),
        _filter(styles),
        "<main>",
        _contents(sections),
        _summary(record, styles, partial),
        *(_section(s, f"s{i}", identifiers) for i, s in enumerate(sections)),
        _reproduce(record),
        _provenance(record),
        "</main>",
    ]
    return _document(f"{record.name}: unlearning sweep", body, sections, identifiers, record.fingerprint)


def render_comparison(names: list[str], sections: list[Section], styles: dict[str, MethodStyle]) -> str:
    """Several sweeps on one page, as HTML text."""
    identifiers = _identifiers(sections)
    title = ", ".join(names)
    entries = "".join(f'<li><a href="#s{i}">{escape(s.title)}</a></li>' for i, s in enumerate(sections))
    body = [
        f'<header class="top"><h1>{escape(title)}</h1><p class="lead">Machine-unlearning sweeps side by side</p></header>',
        _filter(styles),
        "<main>",
        f'<nav class="contents" aria-label="Contents"><ol>{entries}</ol></nav>',
        *(_section(s, f"s{i}", identifiers) for i, s in enumerate(sections)),
        "</main>",
    ]
    return _document(f"{title}: unlearning sweeps compared", body, sections, identifiers)


def _identifiers(sections: list[Section]) -> dict[int, str]:
    return {id(d): f"figure-{i}" for i, d in enumerate(_drawings(sections))}


def _drawings(sections: list[Section]) -> list[Drawing]:
    return [p for s in sections for b in s.blocks for p in b.parts if isinstance(p, Drawing)]


def _document(
    title: str, body: list[str], sections: list[Section], identifiers: dict[int, str], fingerprint: str = ""
) -> str:
    drawings = _drawings(sections)
    data = script_json([figure_data(d, identifiers[id(d)]) for d in drawings])
    themes = {"light": _theme(dark=False), "dark": _theme(dark=True)}
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


def _theme(dark: bool) -> dict[str, Any]:
    theme: dict[str, Any] = figures.template(dark).to_plotly_json()
    return theme


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


def _contents(sections: list[Section]) -> str:
    entries = ['<li><a href="#summary">Summary</a></li>']
    for i, section in enumerate(sections):
        inner = "".join(f'<li><a href="#s{i}-{j}">{escape(b.title)}</a></li>' for j, b in enumerate(section.blocks))
        entries.append(f'<li><a href="#s{i}">{escape(section.title)}</a><ul>{inner}</ul></li>')
    entries.append(
        '<li><a href="#reproduce">How to reproduce</a></li><li><a href="#provenance">Spec and provenance</a></li>'
    )
    return f'<nav class="contents" aria-label="Contents"><ol>{"".join(entries)}</ol></nav>'


def _summary(record: SweepRecord, styles: dict[str, MethodStyle], partial: bool) -> str:
    verdicts = [verdict(record, s) for s in frames.scenarios(record)]
    scores = tables.score_table(record)
    parts = ['<section id="summary"><h2>Summary</h2>']
    if partial:
        parts.append('<p class="warning">This report is partial: the sweep was not finished when it was made.</p>')
    told = [protocol_sentence(record), one_draw_sentence(record), cost_sentence(record)]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in told if sentence]
    parts.append(f'<p class="note" id="comparison">How methods are compared: {escape(COMPARED)}</p>')
    parts.append(f'<div class="verdicts">{"".join(_verdict(v, styles) for v in verdicts)}</div>')
    if scores is not None:
        parts.append(table_html(scores))
    parts += ["<h3>What failed</h3>", _failures(record), "<h3>What was not run</h3>", _missing(record)]
    parts.append(
        f"<details><summary>Trials of every study</summary>{table_html(tables.progress_table(record))}</details>"
    )
    return "\n".join([*parts, "</section>"])


def _verdict(answer: Verdict, styles: dict[str, MethodStyle]) -> str:
    accent = f' style="--accent:{styles[answer.method].colour}"' if answer.method in styles else ""
    lines = "".join(f"<p>{sentence_html(s)}</p>" for s in answer.sentences)
    limits = "".join(f"<li>{escape(s)}</li>" for s in answer.limits)
    folded = (
        f"<details><summary>What limits this ({len(answer.limits)})</summary><ul>{limits}</ul></details>"
        if limits
        else ""
    )
    return f'<article class="verdict"{accent}><h3>{escape(answer.headline)}</h3>{lines}{folded}</article>'


def _failures(record: SweepRecord) -> str:
    frame = frames.failures(record)
    if not len(frame):
        return "<p>No trial failed for good.</p>"
    rows = "".join(
        f'<tr data-method="{escape(r.method, quote=True)}"><td>{escape(scenario_label(r.scenario))}</td>'
        f"<td>{escape(method_label(r.method))}</td><td>{escape(r.stage)}</td><td>{r.trials}</td>"
        f"<td>{_reason(r.reason)}</td><td>{escape(r.numbers)}</td></tr>"
        for r in frames.iterate(frame)
    )
    heads = "".join(f"<th>{h}</th>" for h in ("Scenario", "Method", "Stage", "Trials", "Reason", "Numbers"))
    count = int(frame["trials"].sum())
    summary = f"{count} {'trial' if count == 1 else 'trials'} failed for good"
    shown = " open" if len(frame) <= _MOST_FAILURES else ""
    return (
        f'<details{shown}><summary>{summary}</summary><div class="scroll"><table class="wrap"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _reason(reason: str) -> str:
    """A reason in full; a traceback folded under its last line."""
    lines = reason.strip().splitlines() or [""]
    if len(lines) == 1:
        return escape(lines[0])
    return f'<details class="reason"><summary>{escape(lines[-1])}</summary><pre>{escape(reason)}</pre></details>'


def _missing(record: SweepRecord) -> str:
    sentences = missing_work(record)
    if not sentences:
        return "<p>Everything planned was run.</p>"
    return f"<ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>"


def _section(section: Section, anchor: str, identifiers: dict[int, str]) -> str:
    blocks = "\n".join(_block(b, f"{anchor}-{j}", identifiers) for j, b in enumerate(section.blocks))
    return f'<section id="{anchor}"><h2>{escape(section.title)}</h2>\n{blocks}</section>'


def _block(block: Block, anchor: str, identifiers: dict[int, str]) -> str:
    parts = [figure_html(p, identifiers[id(p)]) if isinstance(p, Drawing) else table_html(p) for p in block.parts]
    if block.missing:
        parts.insert(0, f'<p class="missing">{escape(block.missing)}</p>')
    return f'<h3 id="{anchor}">{escape(block.title)}</h3>\n' + "\n".join(parts)


def _reproduce(record: SweepRecord) -> str:
    lines = [line for command, why in steps(record) for line in (f"# {why}", command)]
    return (
        '<section id="reproduce"><h2>How to reproduce</h2>'
        f"<pre>{escape(chr(10).join(lines))}</pre>"
        '<p class="note">As typed, *** for a password. '
        "The resolved spec below is the sweep's file with every default written out.</p></section>"
    )


def _provenance(record: SweepRecord) -> str:
    facts = {**({"data": record.data} if record.data else {}), **record.provenance}
    entries = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _flat(facts))
    spec = json.dumps(record.spec, indent=2, ensure_ascii=False, default=str)
    return (
        '<section id="provenance"><h2>Spec and provenance</h2>'
        f"<dl>{entries or '<dt>provenance</dt><dd>none stored</dd>'}</dl>"
        f"<details><summary>Resolved spec</summary><pre>{escape(spec)}</pre></details></section>"
    )


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(value)

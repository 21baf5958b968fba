"""The first screen: which method, how sure, at what cost, what to do next; everything else that is said of a sweep, folded."""

from __future__ import annotations

from html import escape

from reports import frames, tables
from reports.names import method_label, scenario_label
from reports.page.html import folded, sentence_html, table_html
from reports.page.terms import Terms
from reports.styles import MethodStyle
from reports.summary import Verdict, cost_sentence, missing_work, one_draw_sentence, protocol_sentence, verdict
from reports.told import COMPARED
from sweeps.record import SweepRecord, in_brief

__all__ = ["summary_html"]


def summary_html(
    record: SweepRecord,
    styles: dict[str, MethodStyle],
    terms: Terms,
    scores: str,
    *,
    partial: bool,
) -> str:
    """The summary's section; `scores` is its figure, as HTML."""
    verdicts = [verdict(record, s) for s in frames.scenarios(record)]
    table = tables.score_table(record)
    parts = ['<section id="summary"><h2>Summary</h2>']
    if partial:
        parts.append('<p class="warning">This report is partial: the sweep was not finished when it was made.</p>')
    parts.append(f'<div class="verdicts">{"".join(_verdict(v, styles, terms) for v in verdicts)}</div>')
    parts += [scores, _remarks(record, verdicts, terms), _failures(record), _missing(record)]
    if table is not None:
        parts.append(folded("Scores as a table", table_html(table, terms)))
    parts.append(folded("Trials of every study", table_html(tables.progress_table(record))))
    if terms.meanings:
        parts.append(
            folded(f"Abbreviations ({len(terms.meanings)})", f"<dl>{terms.listed}</dl>", anchor="abbreviations")
        )
    return "\n".join([*parts, "</section>"])


def _verdict(answer: Verdict, styles: dict[str, MethodStyle], terms: Terms) -> str:
    accent = f' style="--accent:{styles[answer.method].colour}"' if answer.method in styles else ""
    lines = "".join(
        f"<dt>{escape(question)}</dt><dd>{' '.join(sentence_html(s, terms) for s in said)}</dd>"
        for question, said in answer.answers.items()
    )
    return f'<article class="verdict"{accent}><h3>{escape(answer.headline)}</h3><dl>{lines}</dl></article>'


def _remarks(record: SweepRecord, verdicts: list[Verdict], terms: Terms) -> str:
    """How it was compared, and what limits the answers."""
    told = [s for s in (protocol_sentence(record), one_draw_sentence(record), cost_sentence(record)) if s]
    general = [f"<li>{terms.explained(s)}</li>" for s in told]
    general.append(f'<li id="comparison">How methods are compared: {escape(COMPARED)}</li>')
    limits = [
        f"<li>{escape(scenario_label(v.scenario))}: {terms.explained(limit)}</li>"
        for v in verdicts
        for limit in v.limits
    ]
    count = f"{len(general)} on how it was compared, {len(limits)} on what limits the answers"
    return folded(f"Remarks: {count}", f"<ul>{''.join([*limits, *general])}</ul>", anchor="remarks")


def _failures(record: SweepRecord) -> str:
    frame = frames.failures(record)
    if not len(frame):
        return '<p class="line">No trial failed for good.</p>'
    rows = "".join(
        f'<tr data-method="{escape(r.method, quote=True)}"><td>{escape(scenario_label(r.scenario))}</td>'
        f"<td>{escape(method_label(r.method))}</td><td>{escape(r.stage)}</td><td>{r.trials}</td>"
        f"<td>{_reason(r.reason)}</td><td>{escape(r.numbers)}</td></tr>"
        for r in frames.iterate(frame)
    )
    heads = "".join(f"<th>{h}</th>" for h in ("Scenario", "Method", "Stage", "Trials", "Reason", "Numbers"))
    count = int(frame["trials"].sum())
    table = (
        f'<div class="scroll"><table class="wrap"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
    return folded(f"{count} {'trial' if count == 1 else 'trials'} failed for good", table, kind="bad")


def _reason(reason: str) -> str:
    """A reason in full; a traceback folded under its exception."""
    brief = in_brief(reason)
    if brief == reason.strip():
        return escape(brief)
    return folded(escape(brief), f"<pre>{escape(reason)}</pre>", kind="reason")


def _missing(record: SweepRecord) -> str:
    sentences = missing_work(record)
    if not sentences:
        return '<p class="line">Everything planned was run.</p>'
    inner = f"<ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>"
    return folded(f"Missing ({len(sentences)})", inner, kind="bad")

"""What optuna-dashboard shows beside the trials: a note in Markdown for each study and for the sweep, and figures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from reports import figures, frames, tables
from reports.figures import Drawing, Plain, figure_of
from reports.format import Table
from reports.names import (
    labelled,
    method_label,
    metric,
    parameter_label,
    scenario_label,
    score_label,
)
from reports.sampled import confirmed_on, sampled
from reports.styles import method_styles
from reports.summary import cost_sentence, missing_work, one_draw_sentence, protocol_sentence, verdict
from reports.writers import as_markdown, to_markdown
from sweeps.record import MISSING, STAGES, SweepRecord, in_brief, number, plain_strings, significant, uncertain

__all__ = ["Shown", "shown", "study_note"]

Key = tuple[str, str, str]
#: Why one study more is listed than there are of stages, scenarios and methods.
_NO_TRIALS = (
    "This study has no trials, so Optuna's plots and table of it are empty: it keeps what is the whole sweep's (its file, "
    "its data, who runs it). The trials are in the studies below, one for each stage of each scenario and method."
)
_MOST_FAILURES = 5
#: Pixels of a figure's card in optuna-dashboard.
CARD_HEIGHT = 470
_ORIGINS = {
    "search": "as the search found them",
    "given": "as they were given",
}
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


@dataclass(frozen=True)
class Shown:
    """What the dashboard shows of a study, or of the sweep.

    Attributes:
        value_names: what the values of its trials are called.
        note: in Markdown.
        figures: by an identifier that stays.
    """

    value_names: list[str]
    note: str
    figures: dict[str, go.Figure]


def shown(record: SweepRecord, key: Key | None = None, pages: Mapping[Key, str] | None = None) -> Shown:
    """Everything that is shown of one study, (stage, scenario, method), or without a key of the sweep.

    Args:
        pages: where each study is shown.
    """
    with labelled(record), plain_strings():
        if key is None:
            return Shown(["No trials: see the note"], sweep_note(record, pages or {}), sweep_figures(record))
        return Shown(metric_names(record, key[0]), study_note(record, key), study_figures(record, key))


def metric_names(record: SweepRecord, stage: str) -> list[str]:
    """What the values of a stage's trials are called, and which way is better."""
    if stage == "reference":
        return ["Held-out accuracy (higher is better)"]
    if (record.spec.get("objective") or {}).get("name") == "pareto":
        return ["Utility gap (lower is better)", "Forgetting gap (lower is better)"]
    return [f"{score_label(record)} (lower is better)"]


def sweep_note(record: SweepRecord, pages: Mapping[Key, str]) -> str:
    """The report's summary, and the way to every study."""
    told = (protocol_sentence(record), one_draw_sentence(record), cost_sentence(record))
    parts = [
        f"# {record.name}",
        _NO_TRIALS,
        _contents(pages),
        *(as_markdown(sentence) for sentence in told if sentence),
    ]
    for scenario in frames.scenarios(record):
        answer = verdict(record, scenario)
        parts.append(f"**{as_markdown(answer.headline)}.** {as_markdown(' '.join(answer.sentences))}")
        parts += ["\n".join(f"- {as_markdown(s)}" for s in answer.limits)] if answer.limits else []
    scores = tables.score_table(record)
    parts += [to_markdown(scores)] if scores is not None else []
    missing = missing_work(record)
    parts.append("\n".join(f"- {as_markdown(s)}" for s in missing) if missing else "Everything planned was run.")
    report = ["sweeps", "report", record.name, *(record.place or ())]
    parts.append(f"The whole report: `report/index.html` in the sweep's folder, from `{shlex.join(report)}`.")
    return "\n\n".join(part for part in parts if part)


def _contents(pages: Mapping[Key, str]) -> str:
    """A table of links: a row for each scenario and method, a column for each stage."""
    stages = [stage for stage in STAGES if any(key[0] == stage for key in pages)]
    scenarios = list(dict.fromkeys(key[1] for key in pages))
    rows = sorted(dict.fromkeys(key[1:] for key in pages), key=lambda row: scenarios.index(row[0]))
    if not rows:
        return ""
    lines = [f"| scenario | method | {' | '.join(stages)} |", f"|{' --- |' * (len(stages) + 2)}"]
    for scenario, method in rows:
        links = [f"[{stage}]({page})" if (page := pages.get((stage, scenario, method))) else "" for stage in stages]
        names = (scenario_label(scenario), as_markdown(method_label(method)))
        lines.append(f"| {' | '.join((*names, *links))} |")
    return "\n".join(lines)


def study_note(record: SweepRecord, key: Key) -> str:
    """One study, (stage, scenario, method): how far it is, what failed and what it says so far."""
    stage, scenario, method = key
    parts = [
        f"## {as_markdown(method_label(method))}, {scenario_label(scenario)}: {stage}",
        _progress(record, key),
        _failures(record, key),
    ]
    if stage == "search":
        parts += [_best(record, scenario, method), _shares(record, scenario, method)]
    elif stage == "evaluation":
        parts.append(_gaps(record, scenario, method))
    elif stage == "sensitivity":
        parts.append(_sensitivity(record, scenario, method))
    return "\n\n".join(p for p in parts if p)


def sweep_figures(record: SweepRecord) -> dict[str, go.Figure]:
    """The key figures of every scenario, by an identifier that stays."""
    styles = method_styles(frames.methods(record))
    drawings = []
    for scenario in frames.scenarios(record):
        drawn = (record, scenario, styles)
        drawings += [figures.gap_bars(*drawn), figures.trade_off(*drawn), figures.mean_ranks(*drawn)]
    return _printed(drawings)


def study_figures(record: SweepRecord, key: Key) -> dict[str, go.Figure]:
    """The figures of one study, by an identifier that stays."""
    stage, scenario, method = key
    own = (record, scenario, method_styles([method]))
    drawings: list[Drawing | None] = []
    if stage in {"search", "evaluation"}:
        drawings.append(figures.gap_curves(record, stage, scenario, method))
    if stage == "search":
        drawings.append(figures.importance_bars(*own))
    elif stage == "evaluation":
        drawings.append(figures.gaps_by_size(*own))
    elif stage == "sensitivity":
        drawings.append(figures.sensitivity_heatmap(record, scenario, method))
    return _printed(drawings)


def _printed(drawings: list[Drawing | None]) -> dict[str, go.Figure]:
    return {d.key: figure_of(_fitted(d.printed())) for d in drawings if d is not None}


def _fitted(figure: Plain) -> Plain:
    """As large as a card of the dashboard, which cuts off what is larger; axis titles at the edges only, for lack of room."""
    layout = figure["layout"]
    legend = layout["showlegend"] and len({trace.get("name") for trace in figure["data"]}) > 1
    del layout["width"]
    layout |= {"height": CARD_HEIGHT, "autosize": True, "showlegend": legend}
    *titles, _ = layout["annotations"]  # the last is the figure's own
    for title in titles:
        title["font"] = {"size": 11}
    panels = [(layout[name], layout[f"y{name[1:]}"]) for name in layout if name.startswith("xaxis")]
    left, bottom = (min(panel[i]["domain"][0] for panel in panels) for i in (0, 1))
    for x, y in panels:
        if x["domain"][0] > left:
            y.pop("title", None)
        if y["domain"][0] > bottom:
            x.pop("title", None)
    return figure


def _progress(record: SweepRecord, key: Key) -> str:
    stage, scenario, method = key
    trials = frames.stage_trials(record, stage, scenario)
    counts = trials.loc[trials["method"] == method, "state"].value_counts() if len(trials) else pd.Series(dtype=int)
    states = {str(state): int(n) for state, n in counts.items()}
    done = ", ".join(f"{states[s]} {word}" for s, word in _STATES.items() if s in states)
    return f"Trials planned: {record.planned.get(key, 0)}; {done or 'none started'}."


def _failures(record: SweepRecord, key: Key) -> str:
    frame = frames.failures(record)
    frame = frame[(frame["stage"] == key[0]) & (frame["scenario"] == key[1]) & (frame["method"] == key[2])]
    rows = list(frames.iterate(frame))
    lines = [f"- {r.trials} × {as_markdown(in_brief(r.reason) or '?')} (trials {r.numbers})" for r in rows]
    return "\n".join(["Failed for good:", "", *lines[:_MOST_FAILURES]]) if lines else ""


def _best(record: SweepRecord, scenario: str, method: str) -> str:
    """The search's own best trial with its hyperparameters, and what is delivered where that is another configuration."""
    trials = frames.stage_trials(record, "search", scenario, "COMPLETE")
    trials = trials[trials["method"] == method] if len(trials) else trials
    if not len(trials):
        return "No trial is complete yet."
    best = trials.sort_values(["value", "number"]).iloc[0]
    said = f"Best {score_label(record).lower()} of the search: {significant(best['value'])} (trial {best['number']})."
    found = frames.winner_of(record, scenario, method)
    if found is None:
        return said
    stop = {} if found.stop_epoch is None else {"stop_epoch": found.stop_epoch}
    values = {**found.hyperparameters, **stop}
    rows = "\n".join(f"| {parameter_label(name, method)} | {number(value)} |" for name, value in values.items())
    origins = {**_ORIGINS, "confirmation": f"as they were confirmed {confirmed_on(record, scenario)}"}
    origin = origins.get(found.source, found.source)
    if stop and found.source == "search":
        origin += "; it rests on one draw"
    return f"{said}\n\nEvaluated are, {origin}:\n\n| hyperparameter | value |\n| --- | --- |\n{rows}"


def _shares(record: SweepRecord, scenario: str, method: str) -> str:
    shares = record.importances.get(scenario, {}).get(method)
    if not shares:
        return ""
    listed = ", ".join(f"{parameter_label(name, method)} {100 * share:.0f} %" for name, share in shares.items())
    return f"Importance (PED-ANOVA): {listed}."


def _gaps(record: SweepRecord, scenario: str, method: str) -> str:
    baseline = method if method in frames.BASELINES else None
    evaluated = frames.evaluations(record, scenario, baseline)
    metrics = ["score", *frames.gap_metrics(record, evaluated)]
    frame = (
        frames.baseline_summary(record, scenario, baseline, metrics)
        if baseline
        else frames.metric_summary(record, scenario, metrics, compared=False)
    )
    frame = frame[frame["method"] == method]
    if not len(frame):
        return "No trial is complete yet."
    known = [m for m in metrics if (frame["metric"] == m).any()]
    heads = [score_label(record) if m == "score" else metric(record, m).short for m in known]
    lines = [f"| forget size | {' | '.join(heads)} | n |", f"|{' --- |' * (len(known) + 2)}"]
    for size, part in frame.groupby("forget_size", sort=False):
        rows = {r.metric: r for r in frames.iterate(part)}
        n = max(r.n for r in rows.values())
        cells = [uncertain(rows[m].mean, rows[m].std, rows[m].n, n) if m in rows else MISSING for m in known]
        lines.append(f"| {size} | {' | '.join(cells)} | {n} |")
    at = frames.epoch_of(record, scenario, method)
    over = sampled(record, scenario).nouns
    return f"Mean ± std over {over}, {at}; lower is nearer to the oracle.\n\n" + "\n".join(lines)


def _sensitivity(record: SweepRecord, scenario: str, method: str) -> str:
    table: Table | None = tables.sensitivity_table(record, scenario, [method])
    return to_markdown(table) if table is not None else "No trial is complete yet."

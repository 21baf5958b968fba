"""The layout that most tables share: methods down, statistics of their numbers across."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from reports import frames
from reports.caveats import fewer_gaps_note, floor_note, oracles_note, own_rule_note, score_note
from reports.format import Cell, Row, Table
from reports.names import metric, row_label, scenario_label, score_label
from reports.sampled import sampled_over
from reports.told import original_sentence
from sweeps.record import MISSING, SweepRecord, uncertain


def by_method(
    record: SweepRecord,
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    compared: bool,
    columns: Sequence[str] | None = None,
    sizes: bool = False,
    counts: bool = True,
    convention: str = "",
) -> Table | None:
    """Methods (and sizes) down; metrics, or the values of `column`, across."""
    if not len(frame):
        return None
    if "column" not in frame:
        score = score_label(record)
        frame = frame.assign(column=[score if m == "score" else metric(record, m).short for m in frame["metric"]])
    columns = [c for c in (columns or list(dict.fromkeys(frame["column"]))) if (frame["column"] == c).any()]
    most = {c: int(own["n"].max()) for c, own in frame.groupby("column")}
    rows = []
    for size in dict.fromkeys(frame["forget_size"]) if sizes else [None]:
        part = frame if size is None else frame[frame["forget_size"] == size]
        for method in [*frames.methods(record), *frames.BASELINES]:
            cells = {r.column: r for r in frames.iterate(part[part["method"] == method])}
            if not cells:
                continue
            head = [Cell(str(size), float(size))] if size is not None else []
            n = int(max(r.n for r in cells.values()))
            tail = [Cell(str(n), float(n))] if counts else []
            body = (statistic_cell(cells.get(c), n if counts else most[c]) for c in columns)
            below, label = method in frames.BASELINES, row_label(method)
            rows.append(Row((*head, Cell(label, label), *body, *tail), None if below else method, last=below))
    headers = [*(["Forget size"] if sizes else []), "Method", *columns, *(["n"] if counts else [])]
    over = sampled_over(record, frame["scenario"])
    scenarios = list(dict.fromkeys(frame["scenario"]))
    notes = [
        f"Mean ± std over {over} ({'n' if counts else _counts({c: most[c] for c in columns})}).",
        convention or convention_note(record),
        *filter(None, [own_rule_note(record, scenarios, set(frame["method"])) if not convention else ""]),
    ]
    metrics = set(frame["metric"].fillna("score")) if "metric" in frame else {"score"}
    if any(row.last for row in rows):
        notes += _each(scenarios, partial(floor_note, record))
    if "score" in metrics and any(row.last for row in rows):
        notes += [
            f"{scenario_label(s)}: {text}" if len(scenarios) > 1 else text
            for s in scenarios
            if (text := original_sentence(record, s, sized=sizes))
        ]
    if any(m == "score" or m.endswith("_gap") for m in metrics):
        notes += _each(scenarios, partial(oracles_note, record))
    if "score" in metrics:
        notes += _each(scenarios, partial(score_note, record))
        if "forget_size" in frame:
            shown = {str(s): list(rows["forget_size"]) for s, rows in frame.groupby("scenario")}
            notes += _each(scenarios, lambda s: fewer_gaps_note(record, s, shown[s]))
    marked = compared and any(c.best for row in rows for c in row.cells)
    return Table(
        key, title, tuple(map(Cell, headers)), tuple(rows), frame.drop(columns="column"), notes, compared=marked
    )


def _counts(n: Mapping[str, int]) -> str:
    """How many the means of each column are over: `n = 8`, or by column where they differ."""
    if len(set(n.values())) == 1:
        return f"n = {next(iter(n.values()))}"
    return f"n: {', '.join(f'{column} {count}' for column, count in n.items())}"


def _each(scenarios: Sequence[str], note: Callable[[str], str]) -> list[str]:
    """A note of each scenario, once where it is the same of all of which there is one."""
    notes = {s: text for s in scenarios if (text := note(s))}
    if len(set(notes.values())) <= 1:
        return list(dict.fromkeys(notes.values()))
    return [f"{scenario_label(s)}: {text}" for s, text in notes.items()]


def convention_note(record: SweepRecord) -> str:
    """At which epoch a table's numbers stand."""
    if record.in_hindsight:
        return "In hindsight: each run at the epoch of its least score on the very forget set and images that are reported."
    return "At the stop epoch, which was known before the evaluation."


def with_baselines(record: SweepRecord, scenario: str, frame: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Methods, then the baselines that were evaluated."""
    below = [frames.baseline_summary(record, scenario, baseline, metrics) for baseline in frames.BASELINES]
    return pd.concat([frame, *filter(len, below)], ignore_index=True) if len(frame) else frame


def statistic_cell(row: Any, of: int) -> Cell:
    """Mean ± std of one metric in a row that stands for `of` runs or forget sets."""
    if row is None:
        return Cell(MISSING)
    return Cell(uncertain(row.mean, row.std, row.n, of), row.mean, row.best, row.tied)

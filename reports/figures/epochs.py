"""Gaps of one study's trials at every epoch."""

from __future__ import annotations

import pandas as pd

from reports import frames
from reports.caveats import part_note
from reports.figures._base import INK, Drawing, Panels, Trace, axis_title, columns_for, scatter, translucent
from reports.names import method_label, metric, scenario_label
from reports.styles import method_styles
from sweeps.record import SweepRecord

__all__ = ["gap_curves"]

_MOST_TRIALS = 40


def gap_curves(record: SweepRecord, stage: str, scenario: str, method: str) -> Drawing | None:
    """One panel per gap: a thin line for each completed trial, a thick one for the mean (in a search: for the best trial)."""
    trials = frames.stage_trials(record, stage, scenario, "COMPLETE")
    trials = trials[trials["method"] == method] if len(trials) else trials
    metrics = [m for m in frames.gap_metrics(record, trials) if m in record.curves and record.curves[m].notna().any()]
    if not len(trials) or not metrics:
        return None
    trials = trials.sort_values("value", kind="stable")
    best = trials.head(_MOST_TRIALS)
    curves = record.curves.merge(trials[["study", "number", "forget_size"]], on=["study", "number"])
    size = trials["forget_size"].max()
    thick = curves[curves["number"] == trials["number"].iloc[0]] if stage == "search" else curves
    thick = thick if stage == "search" else thick[thick["forget_size"] == size]
    mean = thick.groupby("epoch")[metrics].mean()
    if not len(mean):
        return None
    drawn = curves[curves["number"].isin(best["number"])]
    colour = "#8A8A8A" if method in frames.BASELINES else method_styles([method])[method].colour

    panels = Panels([metric(record, m).title for m in metrics], 250)
    for i, m in enumerate(metrics):
        line = scatter(
            x=mean.index.tolist(),
            y=[None if pd.isna(v) else float(v) for v in mean[m]],
            mode="lines+markers",
            line={"width": 2.4, "color": "#1f2328"},
            marker={"size": 5},
            meta=INK,
            showlegend=False,
            hovertemplate="epoch %{x}: %{y:.3g}<extra></extra>",
        )
        panels.add(i, _thin(drawn, m, colour), line)
        panels.axes(
            i,
            x={"title": axis_title("epoch")},
            y={"title": axis_title(metric(record, m).axis), "rangemode": "tozero"},
        )

    told = "the best trial" if stage == "search" else f"the mean at forget size {size}"
    part = part_note(record, scenario) if stage == "search" else ""
    note = f"Thin: the n = {len(best)} completed trials (at most the {_MOST_TRIALS} best); thick: {told}."
    title = f"{scenario_label(scenario)}: gaps of {method_label(method)} at every epoch, {stage}"
    notes = " ".join(filter(None, [note, part]))
    return Drawing(f"{scenario}-epochs-{stage}-{method}", title, notes, panels, columns=columns_for(len(metrics)))


def _thin(curves: pd.DataFrame, m: str, colour: str) -> Trace:
    """All trials as one trace, with a hole between one and the next."""
    x: list[int | None] = []
    y: list[float | None] = []
    for _, rows in curves.groupby("number", sort=False):
        x += [*(int(e) for e in rows["epoch"]), None]
        y += [*(None if pd.isna(v) else float(v) for v in rows[m]), None]
    line = {"width": 1, "color": translucent(colour, 0.45)}
    return scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")

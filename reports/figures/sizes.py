"""Gaps over forget sizes under one set of hyperparameters (the paper's Figure 4)."""

from __future__ import annotations

from html import escape

import pandas as pd

from reports import frames
from reports.figures._base import (
    FEW,
    Drawing,
    Panels,
    Trace,
    axis_title,
    columns_for,
    error_bars,
    least_to_most,
    scatter,
    single_runs,
)
from reports.names import metric, scenario_label
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["gaps_by_size"]


def gaps_by_size(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel per gap: mean ± std at each forget size; a flat, low line is stable. None below two sizes."""
    metrics = frames.gap_metrics(record, frames.evaluations(record, scenario))
    frame = frames.metric_summary(record, scenario, metrics, compared=False)
    if frame["forget_size"].nunique() < 2:
        return None
    shown = [s for m, s in styles.items() if (frame["method"] == m).any()]
    if not shown:
        return None
    tuned = record.tuned_size(scenario)
    sizes = sorted(int(s) for s in frame["forget_size"].unique())
    labels = [f"<b>{s}</b> (tuned)" if s == tuned else str(s) for s in sizes]
    values = frames.metric_values(record, scenario, metrics)
    few = bool(frame["n"].max() <= FEW)
    step = min(0.08, 0.5 / len(shown))  # methods side by side, so that error bars do not hide each other
    shift = {s.key: step * (i - (len(shown) - 1) / 2) for i, s in enumerate(shown)}

    panels = Panels([metric(record, m).title for m in metrics], 240)
    for i, m in enumerate(metrics):
        for style in shown:
            rows = frame[(frame["method"] == style.key) & (frame["metric"] == m)].sort_values("forget_size")
            label = escape(style.label)
            line = scatter(
                x=[sizes.index(s) + shift[style.key] for s in rows["forget_size"]],
                customdata=rows["forget_size"].tolist(),
                y=rows["mean"].tolist(),
                error_y=None if few else error_bars(rows["mean"].tolist(), rows["std"].tolist()),
                mode="lines+markers",
                line={"color": style.colour, "dash": style.dash, "width": 2},
                marker={"symbol": style.symbol, "size": 7},
                name=label,
                legendgroup=style.key,
                showlegend=i == 0,
                meta={"method": style.key},
                hovertemplate=f"{label}, forget size %{{customdata}}: %{{y:.3g}}<extra></extra>",
            )
            panels.add(i, line)
            if few and frame["n"].max() > 1:
                own = values[(values["method"] == style.key) & (values["metric"] == m)]
                panels.add(i, _runs(own, sizes, shift[style.key], style))
        panels.axes(
            i,
            x={"title": axis_title("forget size"), "tickvals": list(range(len(sizes))), "ticktext": labels},
            y={"title": axis_title(metric(record, m).axis), "rangemode": "tozero"},
        )

    counts = f"n = {least_to_most(frame['n'])}"
    title = f"{scenario_label(scenario)}: gaps over forget sizes, {frames.tuning_label(record, scenario)}"
    over = f"{counts} {sampled(record, scenario).nouns}"
    spread = "Mean over" if few else "Mean ± std, cut at 0, over"
    rings = " (small: single runs)" if few and frame["n"].max() > 1 else ""
    note = f"{spread} {over} a size{rings}. Lower is nearer to the oracle; flatter is more stable."
    return Drawing(f"{scenario}-sizes", title, note, panels, columns=columns_for(len(metrics)), legend=shown)


def _runs(values: pd.DataFrame, sizes: list[int], shift: float, style: MethodStyle) -> Trace:
    at = [sizes.index(int(size)) + shift for size in values["forget_size"]]
    return single_runs(at, values["value"].tolist(), style, "%{y:.3g}")

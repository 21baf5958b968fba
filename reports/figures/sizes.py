"""Gaps over forget sizes under one set of hyperparameters (the paper's Figure 4)."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

from reports import tables
from reports.figures._base import Drawing, error_bars, panel_grid
from reports.names import MethodStyle, metric, scenario_label
from sweeps.store import SweepRecord

__all__ = ["gaps_by_size"]


def gaps_by_size(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel per gap: mean ± std at each forget size; a flat, low line is stable. None below two sizes."""
    metrics = tables.gap_metrics(tables.evaluations(record, scenario))
    frame = tables.metric_summary(record, scenario, metrics, compared=False)
    if frame["forget_size"].nunique() < 2:
        return None
    shown = [s for m, s in styles.items() if (frame["method"] == m).any()]
    tuned = tables.tuned_size(record, scenario)
    sizes = [str(s) + (" (tuned)" if s == tuned else "") for s in sorted(frame["forget_size"].unique())]
    at_size = dict(zip(sorted(frame["forget_size"].unique()), sizes, strict=True))

    def build(columns: int) -> go.Figure:
        figure = panel_grid([metric(m).title for m in metrics], columns, 240)
        for i, m in enumerate(metrics):
            at = {"row": i // columns + 1, "col": i % columns + 1}
            for style in shown:
                rows = frame[(frame["method"] == style.key) & (frame["metric"] == m)].sort_values("forget_size")
                label = escape(style.label)
                trace = go.Scatter(
                    x=[at_size[s] for s in rows["forget_size"]],
                    y=rows["mean"].tolist(),
                    error_y=error_bars(rows["std"].tolist()),
                    mode="lines+markers",
                    line={"color": style.colour, "dash": style.dash, "width": 2},
                    marker={"symbol": style.symbol, "size": 7},
                    name=label,
                    legendgroup=style.key,
                    showlegend=i == 0,
                    meta={"method": style.key},
                    hovertemplate=f"{label}, forget size %{{x}}: %{{y:.3g}}<extra></extra>",
                )
                figure.add_trace(trace, **at)
            figure.update_xaxes(
                title_text="forget size",
                title_standoff=4,
                type="category",
                categoryorder="array",
                categoryarray=sizes,
                **at,
            )
            figure.update_yaxes(title_text=f"{metric(m).short} (points)", title_standoff=4, rangemode="tozero", **at)
        return figure

    low, high = int(frame["n"].min()), int(frame["n"].max())
    counts = f"n = {high}" if low == high else f"n = {low} to {high}"
    title = f"{scenario_label(scenario)}: gaps over forget sizes, hyperparameters tuned at {tuned}"
    note = f"Mean ± std over {counts} forget sets a size. Lower is nearer to the oracle; flatter is more stable."
    return Drawing(f"{scenario}-sizes", title, note, build, columns=2 if len(metrics) in (2, 4) else 3, legend=shown)

"""All metrics of all methods at once, each normalised to its largest value (the paper's Figure 3)."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports import frames
from reports.figures._base import Drawing
from reports.names import metric, scenario_label
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["normalised", "normalised_comparison"]


def normalised(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """Methods down, gaps and relative run time across, at the tuned size: means divided by the largest of their column."""
    metrics = [*frames.gap_metrics(record, frames.evaluations(record, scenario)), "relative_run_time"]
    frame = frames.metric_summary(record, scenario, metrics, compared=False)
    frame = frame[frame["forget_size"] == record.shown_size(scenario)]
    grid = frame.pivot(index="method", columns="metric", values="mean")
    grid = grid[[m for m in metrics if m in grid]]
    return grid / grid.max().where(grid.max() > 0, 1.0)


def normalised_comparison(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """A radar: the nearer a method's line to the centre, the nearer the method to the oracle. None below three metrics."""
    grid = normalised(record, scenario)
    if grid.shape[1] < 3 or len(grid) < 2:
        return None
    shown = [s for m, s in styles.items() if m in grid.index]
    names = [metric(record, m).short for m in grid.columns]

    def build(columns: int) -> go.Figure:
        figure = go.Figure()
        for style in shown:
            values = [float(v) if np.isfinite(v) else None for v in grid.loc[style.key].to_numpy(float)]
            trace = go.Scatterpolar(
                r=[*values, values[0]],
                theta=[*names, names[0]],
                mode="lines+markers",
                line={"color": style.colour, "dash": style.dash, "width": 2},
                marker={"symbol": style.symbol, "size": 6},
                name=escape(style.label),
                meta={"method": style.key},
                hovertemplate=f"{escape(style.label)}, %{{theta}}: %{{r:.2f}} of the largest<extra></extra>",
            )
            figure.add_trace(trace)
        radial = {
            "range": [0, 1.02],
            "tickvals": [0.25, 0.5, 0.75, 1],
            "tickfont": {"size": 9},
            "angle": 90,
            "tickangle": 90,
        }
        margin = {"l": 60, "r": 60, "t": 34, "b": 34}
        figure.update_layout(polar={"radialaxis": radial}, height=420, margin=margin, template=None, showlegend=False)
        return figure

    title = f"{scenario_label(scenario)}: all metrics, each divided by its largest mean, {frames.size_label(record, scenario)}"
    note = (
        "Nearer to the centre is nearer to the oracle (and quicker). The tables hold the values before normalisation."
    )
    return Drawing(f"{scenario}-comparison", title, note, build, legend=shown)

"""The searches of all methods on one axis: every trial's score and the best so far."""

from __future__ import annotations

from html import escape

import pandas as pd
import plotly.graph_objects as go

from reports import frames
from reports.figures._base import Drawing, panel_grid
from reports.names import scenario_label, score_label
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["search_history"]


def search_history(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """Best score so far as a line, trials as points (hollow where pruned)."""
    frame = frames.search_history(record, scenario)
    finite = frame[frame["value"].astype(float).notna()] if len(frame) else frame
    if not len(finite):
        return None
    shown = [s for m, s in styles.items() if (finite["method"] == m).any()]
    values = finite["value"].astype(float)
    wide_range = bool(values.min() > 0 and values.max() > 20 * values.min())

    def build(columns: int) -> go.Figure:
        figure = panel_grid([""] * columns, columns, 340)
        for style in shown:
            rows = frame[frame["method"] == style.key]
            figure.add_trace(_best(rows, style))
            for state in ("COMPLETE", "PRUNED"):
                figure.add_trace(_points(rows[rows["state"] == state], style, state))
        figure.update_xaxes(
            title_text="trial", rangemode="tozero", tick0=0, dtick=-(-int(frame["number"].max() + 1) // 12)
        )
        figure.update_yaxes(title_text=escape(score_label(record)), type="log" if wide_range else "linear")
        if wide_range:
            figure.update_yaxes(dtick="D2")
        return figure

    states = frame["state"].value_counts()
    counted = [
        f"{states[s]} {word}" for s, word in (("PRUNED", "pruned"), ("FAIL", "failed, not drawn")) if s in states
    ]
    note = "Lines: best completed score so far; points: trials (hollow: pruned, at their last score)."
    note += f" {len(frame)} trials" + (f", of which {' and '.join(counted)}" if counted else "") + "."
    title = f"{scenario_label(scenario)}: optimisation history of every method"
    return Drawing(f"{scenario}-history", title, note, build, legend=shown)


def _best(rows: pd.DataFrame, style: MethodStyle) -> go.Scatter:
    return go.Scatter(
        x=rows["number"].tolist(),
        y=[None if pd.isna(v) else float(v) for v in rows["best_so_far"]],
        mode="lines",
        line={"color": style.colour, "dash": style.dash, "shape": "hv", "width": 2.2},
        name=escape(style.label),
        legendgroup=style.key,
        meta={"method": style.key},
        hovertemplate=f"{escape(style.label)}, best by trial %{{x}}: %{{y:.3g}}<extra></extra>",
    )


def _points(rows: pd.DataFrame, style: MethodStyle, state: str) -> go.Scatter:
    pruned = state == "PRUNED"
    return go.Scatter(
        x=rows["number"].tolist(),
        y=[None if pd.isna(v) else float(v) for v in rows["value"]],
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol + ("-open" if pruned else ""), "size": 6},
        opacity=0.55,
        name=escape(style.label),
        legendgroup=style.key,
        showlegend=False,
        meta={"method": style.key},
        hovertemplate=f"{escape(style.label)}, trial %{{x}}{' (pruned)' if pruned else ''}: %{{y:.3g}}<extra></extra>",
    )

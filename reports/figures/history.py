"""The searches of all methods on one axis: every trial's score and the best so far."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import pandas as pd

from reports import frames
from reports.figures._base import Drawing, Panels, Trace, scatter
from reports.names import scenario_label, score_label
from reports.styles import MethodStyle
from sweeps.record import SweepRecord, number

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

    panels = Panels([""], 340)
    for style in shown:
        rows = frame[frame["method"] == style.key]
        panels.add(0, _best(rows, style))
        panels.add(0, *(_points(rows[rows["state"] == state], style, state) for state in ("COMPLETE", "PRUNED")))
    step = -(-int(frame["number"].max() + 1) // 12)
    scale = {"type": "log", **_ticks(values.min(), values.max())} if wide_range else {"type": "linear"}
    panels.axes(
        0,
        x={"title": {"text": "trial"}, "rangemode": "tozero", "tick0": 0, "dtick": step},
        y={"title": {"text": escape(score_label(record))}, **scale},
    )
    states = frame["state"].value_counts()
    counted = [
        f"{states[s]} {word}" for s, word in (("PRUNED", "pruned"), ("FAIL", "failed, not drawn")) if s in states
    ]
    note = "Lines: best completed score so far; points: trials (hollow: pruned, at their last score)."
    note += f" {len(frame)} trials" + (f", of which {' and '.join(counted)}" if counted else "") + "."
    title = f"{scenario_label(scenario)}: optimisation history of every method"
    return Drawing(f"{scenario}-history", title, note, panels, legend=shown)


def _ticks(low: float, high: float) -> dict[str, Any]:
    """Whole numbers on a logarithmic axis, where plotly prints but the first digit between powers of ten: 5 at 50."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    at = [digit * 10.0**power for power in powers for digit in ((1, 2, 5) if len(powers) < 7 else (1,))]
    return {"tickvals": at, "ticktext": [number(value) for value in at]}


def _best(rows: pd.DataFrame, style: MethodStyle) -> Trace:
    return scatter(
        x=rows["number"].tolist(),
        y=[None if pd.isna(v) else float(v) for v in rows["best_so_far"]],
        mode="lines",
        line={"color": style.colour, "dash": style.dash, "shape": "hv", "width": 2.2},
        name=escape(style.label),
        legendgroup=style.key,
        meta={"method": style.key},
        hovertemplate=f"{escape(style.label)}, best by trial %{{x}}: %{{y:.3g}}<extra></extra>",
    )


def _points(rows: pd.DataFrame, style: MethodStyle, state: str) -> Trace:
    pruned = state == "PRUNED"
    return scatter(
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

"""Methods side by side at the tuned forget size: gaps (the paper's Figures 8, 11), attacks with the oracle's line (9, 12)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from reports import frames
from reports.figures._base import INK, Drawing, error_bars, panel_grid
from reports.names import FLOOR_LABEL, measures, metric, scenario_label
from reports.sampled import sampled
from reports.styles import FLOOR_COLOUR, MethodStyle
from sweeps.record import SweepRecord

__all__ = ["attack_bars", "gap_bars"]

FLOOR_SHORT = "Noise floor"


def gap_bars(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel per gap, one bar per method: shorter is nearer to the oracle."""
    metrics = frames.gap_metrics(record, frames.evaluations(record, scenario))
    size = record.shown_size(scenario)
    title = f"{scenario_label(scenario)}: gaps to the oracle, {frames.size_label(record, scenario)}"
    note = "Shorter is nearer to the oracle."
    floor = frames.floor_summary(record, scenario, metrics)
    floor = floor[floor["forget_size"] == size]
    if len(floor):
        note += " Grey: one more oracle, the noise floor."
    return _bars(record, scenario, metrics, styles, key=f"{scenario}-gap-bars", title=title, note=note, floor=floor)


def attack_bars(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel per membership attack: points, for accuracies near 50 % differ by little, and the oracle's value as a line."""
    known = frames.metrics_of(frames.evaluations(record, scenario))
    metrics = measures(record).family("attack", known)
    title = f"{scenario_label(scenario)}: membership inference attacks, {frames.size_label(record, scenario)}"
    note = "Dashed: the oracle; nearer to it is better."
    return _bars(record, scenario, metrics, styles, key=f"{scenario}-attacks", title=title, note=note, reference=True)


def _bars(
    record: SweepRecord,
    scenario: str,
    metrics: Sequence[str],
    styles: dict[str, MethodStyle],
    *,
    key: str,
    title: str,
    note: str,
    reference: bool = False,
    floor: pd.DataFrame | None = None,
) -> Drawing | None:
    size = record.shown_size(scenario)
    frame = frames.metric_summary(record, scenario, metrics, compared=False)
    frame = frame[frame["forget_size"] == size]
    if not len(frame):
        return None
    lines = {m: frames.oracle_values(record, scenario, size, m).mean() for m in metrics} if reference else {}
    shown = [s for m, s in styles.items() if (frame["method"] == m).any()]
    columns = len(metrics) if len(metrics) <= 4 else 3
    with_floor = floor is not None and len(floor) > 0

    def build(columns: int) -> go.Figure:
        figure = panel_grid(
            [metric(record, m).title for m in metrics], columns, 34 + 26 * (len(shown) + with_floor), x_gap=24
        )
        for i, m in enumerate(metrics):
            at = {"row": i // columns + 1, "col": i % columns + 1}
            for style in shown:
                figure.add_trace(_trace(frame, m, style, first=i == 0, point=reference), **at)
            if floor is not None and with_floor:
                figure.add_trace(_floor_trace(floor[floor["metric"] == m]), **at)
            mode = "normal" if reference else "tozero"
            figure.update_xaxes(title_text=metric(record, m).axis, title_standoff=4, rangemode=mode, **at)
            if pd.notna(lines.get(m, float("nan"))):
                ends = [escape(shown[0].label), escape(shown[-1].label)]
                figure.add_trace(_oracle_line(lines[m], ends, i == 0), **at)
            figure.update_yaxes(autorange="reversed", matches="y" if i else None, showgrid=False, **at)
            figure.update_yaxes(showticklabels=at["col"] == 1, type="category", **at)
        return figure

    spread = f"Mean ± std over {_counted(frame)} {sampled(record, scenario).nouns}."
    return Drawing(key, title, f"{spread} {note}", build, columns)


def _trace(frame: pd.DataFrame, m: str, style: MethodStyle, *, first: bool, point: bool) -> go.Bar | go.Scatter:
    row = frame[(frame["method"] == style.key) & (frame["metric"] == m)]
    mean = float(row["mean"].iloc[0]) if len(row) else float("nan")
    std = float(row["std"].iloc[0]) if len(row) else float("nan")
    n = int(row["n"].iloc[0]) if len(row) else 0
    label = escape(style.label)
    common = {
        "x": [mean] if n else [None],
        "y": [label],
        "name": label,
        "legendgroup": style.key,
        "showlegend": first,
        "error_x": error_bars([std]),
        "meta": {"method": style.key},
        "hovertemplate": f"{label}: %{{x:.4g}} ± {std:.2g} (n = {n})<extra></extra>",
    }
    if point:
        return go.Scatter(mode="markers", marker={"color": style.colour, "symbol": style.symbol, "size": 10}, **common)
    marker = {"color": style.colour, "pattern": {"shape": style.pattern}}
    return go.Bar(orientation="h", marker=marker, width=0.7, offset=-0.35, **common)


def _floor_trace(rows: pd.DataFrame) -> go.Bar:
    mean, std = ([*rows[name], float("nan")][0] for name in ("mean", "std"))
    return go.Bar(
        x=[mean] if len(rows) else [None],
        y=[FLOOR_SHORT],
        orientation="h",
        width=0.7,
        offset=-0.35,
        marker={"color": FLOOR_COLOUR},
        error_x=error_bars([std]),
        name=FLOOR_LABEL,
        showlegend=False,
        hovertemplate=f"{FLOOR_LABEL}: %{{x:.4g}} ± {std:.2g}<extra></extra>",
    )


def _oracle_line(value: float, ends: Sequence[str], first: bool) -> go.Scatter:
    return go.Scatter(
        x=[value] * 2,
        y=list(ends),
        mode="lines+markers",
        marker={"opacity": 0, "size": 10},  # unseen; without it the axis would end on the line
        name="Oracle",
        legendgroup="oracle",
        showlegend=first,
        line={"dash": "dash", "width": 1.6, "color": "#1f2328"},
        meta=INK,
        hovertemplate=f"Oracle: {value:.4g}<extra></extra>",
    )


def _counted(frame: pd.DataFrame) -> str:
    low, high = int(frame["n"].min()), int(frame["n"].max())
    return f"n = {high}" if low == high else f"n = {low} to {high}"

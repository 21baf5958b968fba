"""Accuracy during unlearning, with the oracle's line (the paper's Figures 7 and 10)."""

from __future__ import annotations

from html import escape

import pandas as pd

from reports import frames
from reports.caveats import own_rule_note
from reports.figures._base import INK, Drawing, Panels, Trace, axis_title, columns_for, scatter, translucent
from reports.names import measures, metric, scenario_label
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import UNIT_LEVELS, SweepRecord

__all__ = ["accuracy_curves"]

_MOST_BANDS = 6


def accuracy_curves(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel per accuracy: mean over forget sets at every epoch."""
    size = record.shown_size(scenario)
    curves = frames.evaluation_curves(record, scenario, size)
    metrics = measures(record).family("accuracy", [str(m) for m in curves if curves[m].notna().any()])
    if not metrics:
        return None
    shown = [s for m, s in styles.items() if (curves["method"] == m).any()]
    lines = {m: frames.oracle_values(record, scenario, size, m).mean() for m in metrics}
    found = {key: frames.winner_of(record, scenario, key) for key in styles}
    stops = {key: w.stop_epoch for key, w in found.items() if w is not None and w.stop_epoch is not None}
    averaged = frames.summarise(curves, ["method", "epoch"], metrics)
    last = int(curves["epoch"].max())

    panels = Panels([metric(record, m).title for m in metrics], 270)
    for i, m in enumerate(metrics):
        for style in shown:
            rows = averaged[(averaged["method"] == style.key) & (averaged["metric"] == m)].sort_values("epoch")
            if len(shown) <= _MOST_BANDS and (rows["std"] > 0).any():
                panels.add(i, _band(rows, style))
            panels.add(i, _line(rows, style, i == 0))
            if style.key in stops:
                panels.add(i, _stop(rows[rows["epoch"] == stops[style.key]], style))
        if pd.notna(lines[m]):
            panels.add(i, _oracle(lines[m], last, i == 0))
        panels.axes(
            i,
            x={"title": axis_title("epoch"), "tick0": 0, "dtick": -(-last // 10)},
            y={"title": axis_title(f"{metric(record, m).short} (%)")},
        )

    n = int(curves[list(UNIT_LEVELS)].drop_duplicates().shape[0])
    bands = "; bands: ± std" if len(shown) <= _MOST_BANDS and n > 1 else ""
    known = "" if all(pd.isna(v) for v in lines.values()) else " Dashed: the oracle."
    title = f"{scenario_label(scenario)}: accuracy during unlearning, {frames.size_label(record, scenario)}"
    if stops and not record.in_hindsight:
        own = own_rule_note(record, [scenario], [style.key for style in shown])
        known += " ".join(filter(None, [" Ringed: the stop epoch, at which the other numbers stand.", own]))
    least = int(averaged.loc[averaged["n"] > 0, "n"].min())  # not every run reaches the last epoch
    many = str(n) if least == n else f"{least} to {n}"
    note = f"Mean over n = {many} {sampled(record, scenario).nouns}{bands}.{known}"
    return Drawing(f"{scenario}-curves", title, note, panels, columns=columns_for(len(metrics)), legend=shown)


def _line(rows: pd.DataFrame, style: MethodStyle, first: bool) -> Trace:
    label = escape(style.label)
    return scatter(
        x=rows["epoch"].tolist(),
        y=rows["mean"].tolist(),
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={"symbol": style.symbol, "size": 4},
        name=label,
        legendgroup=style.key,
        showlegend=first,
        meta={"method": style.key},
        hovertemplate=f"{label}, epoch %{{x}}: %{{y:.2f}} %<extra></extra>",
    )


def _stop(row: pd.DataFrame, style: MethodStyle) -> Trace:
    return scatter(
        x=row["epoch"].tolist(),
        y=row["mean"].tolist(),
        mode="markers",
        marker={"symbol": "circle-open", "size": 13, "color": style.colour, "line": {"width": 2}},
        legendgroup=style.key,
        showlegend=False,
        meta={"method": style.key},
        hovertemplate=f"{escape(style.label)}, stop epoch %{{x}}: %{{y:.2f}} %<extra></extra>",
    )


def _band(rows: pd.DataFrame, style: MethodStyle) -> Trace:
    std = rows["std"].fillna(0.0)
    upper, lower = rows["mean"] + std, rows["mean"] - std
    return scatter(
        x=[*rows["epoch"], *rows["epoch"][::-1]],
        y=[*upper, *lower[::-1]],
        fill="toself",
        fillcolor=translucent(style.colour, 0.15),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        legendgroup=style.key,
        showlegend=False,
        meta={"method": style.key},
    )


def _oracle(value: float, last: int, first: bool) -> Trace:
    return scatter(
        x=[1, last],
        y=[value, value],
        mode="lines",
        name="Oracle",
        showlegend=first,
        line={"dash": "dash", "width": 1.6, "color": "#1f2328"},
        meta=INK,
        hovertemplate="Oracle: %{y:.2f} %<extra></extra>",
    )

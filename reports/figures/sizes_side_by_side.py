"""Gaps over forget sizes of several sweeps in one plot: methods by colour, sweeps by dash and marker."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

from reports import frames
from reports.figures._base import Drawing, Panels, Trace, axis_title, columns_for, scatter
from reports.names import metric, scenario_label
from reports.sampled import sampled_in
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["sizes_side_by_side"]

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_MARKERS = ("circle", "square", "diamond", "triangle-up", "cross")


def sizes_side_by_side(
    named: Mapping[str, SweepRecord], scenario: str, styles: Mapping[str, MethodStyle]
) -> Drawing | None:
    """One panel per gap, a line per method and sweep over the sizes that it was evaluated at; None below two sizes in all."""
    frame = _means(named, scenario)
    if not len(frame) or frame["forget_size"].nunique() < 2:
        return None
    shown = [s for m, s in styles.items() if (frame["method"] == m).any()]
    sweeps = [s for s in named if (frame["sweep"] == s).any()]
    metrics = list(dict.fromkeys(frame["metric"]))
    labels = {m: metric(named[frame.loc[frame["metric"] == m, "sweep"].iloc[0]], m) for m in metrics}

    sizes = sorted(frame["forget_size"].unique())
    ticks = {"tickvals": [int(s) for s in sizes], "ticktext": [str(s) for s in sizes]}
    panels = Panels([labels[m].title for m in metrics], 260)
    for i, m in enumerate(metrics):
        for style in shown:
            for k, sweep in enumerate(sweeps):
                own = (frame["metric"] == m) & (frame["method"] == style.key) & (frame["sweep"] == sweep)
                panels.add(i, _line(frame[own].sort_values("forget_size"), style, sweep, k))
        panels.axes(
            i,
            x={"title": axis_title("forget size (log)"), "type": "log", **ticks},
            y={"title": axis_title(labels[m].axis), "rangemode": "tozero"},
        )

    told = ", ".join(
        f"{dash} line and {marker}: {s}"
        for (dash, marker), s in zip(map(_look, range(len(sweeps))), sweeps, strict=True)
    )
    over = sampled_in({s: named[s] for s in sweeps}, scenario)
    note = f"Means over {over}, of every size evaluated. {told[:1].upper()}{told[1:]}."
    title = f"{scenario_label(scenario)}: gaps over forget sizes, sweep by sweep"
    return Drawing(f"{scenario}-sizes-compared", title, note, panels, columns=columns_for(len(metrics)), legend=shown)


def _means(named: Mapping[str, SweepRecord], scenario: str) -> pd.DataFrame:
    parts = []
    for label, record in named.items():
        metrics = frames.gap_metrics(record, frames.evaluations(record, scenario))
        parts.append(frames.metric_summary(record, scenario, metrics, compared=False).assign(sweep=label))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["forget_size", "metric", "sweep"])


def _line(rows: pd.DataFrame, style: MethodStyle, sweep: str, k: int) -> Trace:
    told, (dash, marker) = escape(f"{style.label}, {sweep}"), _look(k)
    return scatter(
        x=rows["forget_size"].tolist(),
        y=rows["mean"].tolist(),
        mode="lines+markers",
        line={"color": style.colour, "dash": dash, "width": 2},
        marker={"symbol": marker, "size": 7},
        name=told,
        showlegend=False,
        meta={"method": style.key},
        hovertemplate=f"{told}, forget size %{{x}}: %{{y:.3g}}<extra></extra>",
    )


def _look(k: int) -> tuple[str, str]:
    """Dash and marker of a sweep: each of twenty-five has a pair of its own."""
    return _DASHES[(k + k // len(_MARKERS)) % len(_DASHES)], _MARKERS[k % len(_MARKERS)]

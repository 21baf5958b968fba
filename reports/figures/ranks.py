"""Mean ranks with the critical difference."""

from __future__ import annotations

import math
from dataclasses import replace
from html import escape

from reports import frames
from reports.figures._base import Drawing, Panels, axis_title, scatter
from reports.names import scenario_label
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import SweepRecord, significant

__all__ = ["mean_ranks"]


def mean_ranks(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One point per method, best first; the grey band reaches from the best rank as far as Nemenyi's test cannot tell.

    Of two methods there is none: the test is for three and more.
    """
    frame = frames.mean_ranks(record, scenario)
    if not len(frame):
        return None
    first, critical = float(frame["rank"].iloc[0]), float(frame["critical"].iloc[0])
    blocks, friedman = int(frame["blocks"].iloc[0]), float(frame["friedman"].iloc[0])

    place = {"xref": "x", "x0": first, "x1": first + critical, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    band = {"type": "rect", **place, "line": {"width": 0}, "fillcolor": "rgba(128,128,128,0.22)"}
    panels = Panels([""], 34 + 26 * len(frame), shapes=[band] if math.isfinite(critical) else [])
    for row in frames.iterate(frame):
        style = styles[row.method]
        label = escape(style.label)
        point = scatter(
            x=[row.rank],
            y=[label],
            mode="markers",
            marker={"color": style.colour, "symbol": style.symbol, "size": 11},
            name=label,
            meta={"method": row.method},
            hovertemplate=f"{label}: mean rank %{{x:.2f}}<extra></extra>",
        )
        panels.add(0, point)
    panels.axes(
        0,
        x={"title": axis_title("mean rank (1 is best)"), "range": [0.7, len(frame) + 0.3]},
        y={"autorange": "reversed", "type": "category"},
    )

    about = sampled(record, scenario)
    over = f"{blocks} {'trainings' if about.trainings > 1 else replace(about, runs=1).nouns}"
    note = f"Ranks of the score, {frames.size_label(record, scenario)}, over n = {over} on which every method was evaluated."
    if math.isfinite(critical):
        note += (
            " Band: ranks that Nemenyi's test cannot tell from the best at the 5 % level (critical difference "
            f"{critical:.2f})."
        )
    note += f" Friedman's test that all rank alike: p = {significant(friedman, 2)}." if math.isfinite(friedman) else ""
    title = f"{scenario_label(scenario)}: mean rank of every method"
    return Drawing(f"{scenario}-ranks", title, note, panels)

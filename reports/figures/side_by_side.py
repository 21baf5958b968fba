"""The gaps of several sweeps side by side: one panel per gap."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from reports import frames
from reports.figures._base import Drawing, columns_for, error_bars, panel_grid
from reports.names import metric, scenario_label, score_label
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

_SYMBOLS = ("circle", "square-open", "diamond", "triangle-up-open", "cross", "x-open")


def gaps_side_by_side(
    frame: pd.DataFrame, named: Mapping[str, SweepRecord], scenario: str, styles: dict[str, MethodStyle]
) -> Drawing:
    """One panel per gap: a method's sweeps one under the other, told apart by the marker."""
    rivals = frame[frame["method"] != frames.FLOOR]
    metrics = list(dict.fromkeys(rivals["metric"]))
    shown = [s for m, s in styles.items() if (rivals["method"] == m).any()]
    sweeps = [s for s in named if (rivals["sweep"] == s).any()]
    score = score_label(next(iter(named.values())))
    step = 0.6 / max(len(sweeps), 1)

    def build(columns: int) -> go.Figure:
        titles = [score if m == "score" else metric(m).title for m in metrics]
        figure = panel_grid(titles, columns, 40 + 18 * len(shown) * max(len(sweeps), 2), x_gap=24)
        for i, m in enumerate(metrics):
            at = {"row": i // columns + 1, "col": i % columns + 1}
            for place, style in enumerate(shown):
                for k, sweep in enumerate(sweeps):
                    rows = rivals[
                        (rivals["method"] == style.key) & (rivals["metric"] == m) & (rivals["sweep"] == sweep)
                    ]
                    told = escape(f"{style.label}, {sweep}")
                    point = go.Scatter(
                        x=rows["mean"].tolist(),
                        y=[place + step * (k - (len(sweeps) - 1) / 2)] * len(rows),
                        error_x=error_bars(rows["std"].tolist()),
                        mode="markers",
                        marker={"color": style.colour, "symbol": _SYMBOLS[k % len(_SYMBOLS)], "size": 9},
                        name=told,
                        showlegend=False,
                        meta={"method": style.key},
                        hovertemplate=f"{told}: %{{x:.3g}}<extra></extra>",
                    )
                    figure.add_trace(point, **at)
            figure.update_xaxes(
                title_text="" if m == "score" else metric(m).axis, title_standoff=4, rangemode="tozero", **at
            )
            ticks = {"tickvals": list(range(len(shown))), "ticktext": [escape(s.label) for s in shown]}
            figure.update_yaxes(
                range=[len(shown) - 0.4, -0.6], showgrid=False, showticklabels=at["col"] == 1, **ticks, **at
            )
        return figure

    markers = ", ".join(f"{_SYMBOLS[k % len(_SYMBOLS)].replace('-', ' ')} {s}" for k, s in enumerate(sweeps))
    n = f"{int(rivals['n'].min())} to {int(rivals['n'].max())}"
    note = f"Mean ± std over n = {n} forget sets, each sweep at its own tuned size. Markers: {markers}."
    title = f"{scenario_label(scenario)}: gaps to the oracle, sweep by sweep"
    return Drawing(f"{scenario}-compared", title, note, build, columns=columns_for(len(metrics)), legend=shown)

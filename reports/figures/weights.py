"""Distance of the weights to the oracle's against what was achieved (the paper's Figure 5)."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

from reports import frames
from reports.figures._base import Drawing, columns_for, error_bars, panel_grid
from reports.names import metric, scenario_label, score_label, units
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["weight_distance"]

_AGAINST = ("score", "mia_knn_forget_gap", "mia_knn_train_gap")


def weight_distance(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel each for the score and the attacks on the features: methods as points. None where no distance was measured."""
    size = record.shown_size(scenario)
    frame = frames.metric_summary(record, scenario, ["weight_distance", *_AGAINST], compared=False)
    frame = frame[frame["forget_size"] == size]
    metrics = [m for m in _AGAINST if (frame["metric"] == m).any()]
    values = {(r.method, r.metric): r for r in frames.iterate(frame)}
    shown = [s for m, s in styles.items() if (m, "weight_distance") in values]
    if not shown:
        return None
    titles = [score_label(record) if m == "score" else metric(record, m).title for m in metrics]

    def build(columns: int) -> go.Figure:
        figure = panel_grid(titles, columns, 290, x_gap=64)
        for i, m in enumerate(metrics):
            at = {"row": i // columns + 1, "col": i % columns + 1}
            for style in shown:
                x, y = values[style.key, "weight_distance"], values.get((style.key, m))
                if y is None:
                    continue
                point = go.Scatter(
                    x=[x.mean],
                    y=[y.mean],
                    error_x=error_bars([x.mean], [x.std]),
                    error_y=error_bars([y.mean], [y.std]),
                    mode="markers",
                    marker={"color": style.colour, "symbol": style.symbol, "size": 10},
                    name=escape(style.label),
                    legendgroup=style.key,
                    showlegend=i == 0,
                    meta={"method": style.key},
                    hovertemplate=f"{escape(style.label)}: distance %{{x:.3g}}, %{{y:.3g}}<extra></extra>",
                )
                figure.add_trace(point, **at)
            figure.update_xaxes(title_text="weight distance (L2)", title_standoff=4, **at)
            figure.update_yaxes(
                title_text=units(record, [m]).strip(" ()").removeprefix("percentage "),
                title_standoff=4,
                rangemode="tozero",
                **at,
            )
        return figure

    over = sampled(record, scenario).nouns
    note = f"Mean ± std (cut at 0) over {over}; distance of the penultimate layer to the oracle's, after matching its units."
    title = f"{scenario_label(scenario)}: weight distance to the oracle against the gaps, {frames.size_label(record, scenario)}"
    return Drawing(f"{scenario}-weights", title, note, build, columns=columns_for(len(metrics)), legend=shown)

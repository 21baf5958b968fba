"""Distance of the weights to the oracle's against what was achieved (the paper's Figure 5)."""

from __future__ import annotations

from html import escape

import pandas as pd

from reports import frames
from reports.figures._base import FEW, Drawing, Panels, Trace, axis_title, columns_for, error_bars, scatter, single_runs
from reports.names import metric, scenario_label, score_label, units
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["weight_distance"]

_AGAINST = ("score", "mia_knn_forget_gap", "mia_knn_train_gap")


def weight_distance(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel each for the score and the attacks on the features: methods as points. None where no distance was measured."""
    size = record.shown_size(scenario)
    runs = frames.run_values(record, scenario, ["weight_distance", *_AGAINST])
    if "weight_distance" not in runs:
        return None
    runs = runs[(runs["forget_size"] == size) & runs["weight_distance"].notna()]
    metrics = [m for m in _AGAINST if m in runs and runs[m].notna().any()]
    counts = runs["method"].value_counts()
    shown = [s for m, s in styles.items() if m in counts]
    if not shown or not metrics:
        return None
    few = bool(counts.max() <= FEW)
    titles = [score_label(record) if m == "score" else metric(record, m).title for m in metrics]

    panels = Panels(titles, 290, x_gap=64)
    for i, m in enumerate(metrics):
        for style in shown:
            rows = runs[runs["method"] == style.key].dropna(subset=["weight_distance", m])
            if len(rows):
                mean, *single = _points(rows, m, style, few)
                panels.add(i, mean | {"showlegend": i == 0}, *single)
        unit = units(record, [m]).strip(" ()").removeprefix("percentage ")
        panels.axes(
            i,
            x={"title": axis_title("weight distance (L2)")},
            y={"title": axis_title(unit), "rangemode": "tozero"},
        )

    over = sampled(record, scenario).nouns
    spread = f"Mean ± std (cut at 0) over {over}"
    if few:
        spread = f"Mean over {over}" + (" (small: single runs)" if counts.max() > 1 else "")
    note = f"{spread}; distance of the penultimate layer to the oracle's, after matching its units."
    title = f"{scenario_label(scenario)}: weight distance to the oracle against the gaps, {frames.size_label(record, scenario)}"
    return Drawing(f"{scenario}-weights", title, note, panels, columns=columns_for(len(metrics)), legend=shown)


def _points(rows: pd.DataFrame, m: str, style: MethodStyle, few: bool) -> list[Trace]:
    """A method's mean, with its standard deviations where it has too many runs to show each, and else these."""
    mean, std = rows[["weight_distance", m]].mean(), rows[["weight_distance", m]].std()
    own = {"mode": "markers", "legendgroup": style.key, "meta": {"method": style.key}, "cliponaxis": False}
    label = escape(style.label)
    point = scatter(
        x=[mean["weight_distance"]],
        y=[mean[m]],
        error_x=None if few else error_bars([mean["weight_distance"]], [std["weight_distance"]]),
        error_y=None if few else error_bars([mean[m]], [std[m]]),
        marker={"color": style.colour, "symbol": style.symbol, "size": 10},
        name=label,
        hovertemplate=f"{label} (n = {len(rows)}): distance %{{x:.3g}}, %{{y:.3g}}<extra></extra>",
        **own,
    )
    if not few or len(rows) < 2:
        return [point]
    x, y = rows["weight_distance"].tolist(), rows[m].tolist()
    return [point, single_runs(x, y, style, "distance %{x:.3g}, %{y:.3g}")]

"""Utility against forgetting: where each method stands, and what a search could have traded."""

from __future__ import annotations

from html import escape

import pandas as pd

from reports import frames
from reports.figures._base import FEW, Drawing, Panels, Trace, axis_title, error_bars, scatter, single_runs
from reports.names import metric, scenario_label, units
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["trade_off"]


def trade_off(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """Left, the evaluated methods; right, every search trial with each method's Pareto front. Nearer to the corner is better."""
    evaluated = frames.directions(record, frames.evaluations(record, scenario))
    size = record.shown_size(scenario)
    evaluated = evaluated[evaluated["forget_size"] == size] if len(evaluated) else evaluated
    searched = frames.directions(record, frames.stage_trials(record, "search", scenario, "COMPLETE"))
    parts = [(n, f) for n, f in (("Evaluated winners", evaluated), ("Search trials", searched)) if len(f)]
    if not parts:
        return None
    known = set(evaluated["method"]) | set(searched["method"])
    shown = [s for m, s in styles.items() if m in known]

    sides = frames.sides_of_every_epoch(
        record, frames.evaluations(record, scenario) if len(evaluated) else record.counted
    )
    unit = units(record, [gap for gaps in sides.values() for gap in gaps]).replace("percentage ", "")

    panels = Panels([name for name, _ in parts], 330, x_gap=70)
    named: set[str] = set()
    for i, (name, frame) in enumerate(parts):
        for style in shown:
            rows = frame[frame["method"] == style.key]
            if len(rows):
                first, *others = _means(rows, style) if name == "Evaluated winners" else _front(rows, style)
                panels.add(i, first | {"showlegend": style.key not in named}, *others)
                named.add(style.key)
        panels.axes(
            i,
            x={"title": axis_title(f"forgetting gap{unit}"), "rangemode": "tozero"},
            y={"title": axis_title(f"utility gap{unit}"), "rangemode": "tozero"},
        )

    means = [
        f"the {side} gap is the mean of {', '.join(metric(record, g).short for g in gaps)}"
        for side, gaps in sides.items()
    ]
    note = f"Here {' and '.join(means)}: what is measured at every epoch."
    note += " Nearer to the lower left corner is better."
    over = sampled(record, scenario).nouns
    few = len(evaluated) and evaluated.groupby("method").size().max() <= FEW
    means_of = "means and, small, the single runs:" if few else "mean ± std, cut at 0, over"
    note += f" Winners: {means_of} {over}, {frames.size_label(record, scenario)}." if len(evaluated) else ""
    note += " Search: points are completed trials, lines join each method's undominated ones." if len(searched) else ""
    title = f"{scenario_label(scenario)}: utility against forgetting"
    return Drawing(f"{scenario}-trade-off", title, note, panels, columns=len(parts), legend=shown)


def _means(rows: pd.DataFrame, style: MethodStyle) -> list[Trace]:
    label = escape(style.label)
    mean, std = rows[["forgetting", "utility"]].mean(), rows[["forgetting", "utility"]].std()
    few = len(rows) <= FEW
    return [
        scatter(
            x=[mean["forgetting"]],
            y=[mean["utility"]],
            error_x=None if few else error_bars([mean["forgetting"]], [std["forgetting"]]),
            error_y=None if few else error_bars([mean["utility"]], [std["utility"]]),
            mode="markers",
            cliponaxis=False,
            marker={"color": style.colour, "symbol": style.symbol, "size": 11},
            name=label,
            legendgroup=style.key,
            meta={"method": style.key},
            hovertemplate=f"{label} (n = {len(rows)}): forgetting %{{x:.3g}}, utility %{{y:.3g}}<extra></extra>",
        ),
        *([_runs(rows, style)] if 1 < len(rows) <= FEW else []),
    ]


def _runs(rows: pd.DataFrame, style: MethodStyle) -> Trace:
    return single_runs(rows["forgetting"].tolist(), rows["utility"].tolist(), style, "%{x:.3g}, %{y:.3g}")


def _front(rows: pd.DataFrame, style: MethodStyle) -> list[Trace]:
    front = frames.pareto_front(rows)
    label = escape(style.label)
    common = {"legendgroup": style.key, "name": label, "meta": {"method": style.key}}
    hover = f"{label}, trial %{{customdata}}: forgetting %{{x:.3g}}, utility %{{y:.3g}}<extra></extra>"
    line = scatter(
        x=front["forgetting"].tolist(),
        y=front["utility"].tolist(),
        mode="lines",
        line={"color": style.colour, "dash": style.dash, "width": 2, "shape": "hv"},
        hoverinfo="skip",
        **common,
    )
    points = scatter(
        x=rows["forgetting"].tolist(),
        y=rows["utility"].tolist(),
        customdata=rows["number"].tolist(),
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol, "size": 5},
        opacity=0.6,
        hovertemplate=hover,
        showlegend=False,
        **common,
    )
    return [line, points]

"""All measures of all methods at once, each in its own unit: what the paper's Figure 3 shows as a radar."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from reports import frames
from reports.figures._base import Drawing, Panels, Trace, axis_title, least_to_most, scatter
from reports.names import metric, scenario_label
from reports.sampled import sampled
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["dot_plot"]


def dot_plot(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One line per gap and one for the run time, a dot per method; a panel per unit. None below three measures or two methods."""
    metrics = [*frames.gap_metrics(record, frames.evaluations(record, scenario)), "relative_run_time"]
    frame = frames.metric_summary(record, scenario, metrics, compared=False)
    frame = frame[frame["forget_size"] == record.shown_size(scenario)]
    known = [m for m in metrics if (frame["metric"] == m).any()]
    shown = [s for m, s in styles.items() if (frame["method"] == m).any()]
    if len(known) < 3 or len(shown) < 2:
        return None
    means = {(r.method, r.metric): float(r.mean) for r in frames.iterate(frame)}
    units: dict[str, list[str]] = {}
    for m in known:
        units.setdefault(metric(record, m).unit, []).append(m)

    most = max(map(len, units.values()))
    panels = Panels(["" for _ in units], 40 + 34 * most, x_gap=150, y_gap=70)
    for i, (unit, members) in enumerate(units.items()):
        names = [escape(metric(record, m).short) for m in members]
        for k, style in enumerate(shown):
            values = [means.get((style.key, m)) for m in members]
            panels.add(i, _dots(style, names, values, _shift(k, len(shown)), first=i == 0))
        rows = {"range": [most - 0.4, -0.6], "tickvals": list(range(len(members))), "ticktext": names}
        panels.axes(
            i,
            x={"title": axis_title(unit or "value"), "rangemode": "tozero"},
            y={**rows, "zeroline": False},  # rows of equal height in every panel, from the top down
        )

    n = least_to_most(frame["n"])
    title = f"{scenario_label(scenario)}: all measures at once, {frames.size_label(record, scenario)}"
    note = f"Means over n = {n} {sampled(record, scenario).nouns}. Nearer to the left is nearer to the oracle (and quicker)."
    return Drawing(f"{scenario}-comparison", title, note, panels, columns=min(len(units), 3), legend=shown)


def _shift(k: int, count: int) -> float:
    """Methods of a line lie one below the other, so that none hides another."""
    return 0.5 * (k - (count - 1) / 2) / max(count, 1)


def _dots(
    style: MethodStyle, names: Sequence[str], values: Sequence[float | None], shift: float, *, first: bool
) -> Trace:
    return scatter(
        x=list(values),
        y=[place + shift for place in range(len(names))],
        customdata=list(names),
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol, "size": 9},
        name=escape(style.label),
        legendgroup=style.key,
        showlegend=first,
        meta={"method": style.key},
        hovertemplate=f"{escape(style.label)}, %{{customdata}}: %{{x:.3g}}<extra></extra>",
    )

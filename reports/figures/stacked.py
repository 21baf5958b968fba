"""Gaps stacked where a scenario's forget set has parts, one bar a method (canary: the summary panel of the paper's Figure 2)."""

from __future__ import annotations

from html import escape

from reports import frames
from reports.figures._base import Drawing, Panels, axis_title, bar, least_to_most, translucent
from reports.names import measures, metric, scenario_label
from reports.sampled import sampled
from reports.styles import BASELINE_STYLES, MethodStyle
from sweeps.record import SweepRecord

__all__ = ["stacked_gaps"]

_OPACITIES = (1.0, 0.72, 0.46, 0.26)


def stacked_gaps(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """Gaps of the parts' forget accuracies (canary: ordinary, scrambled), retain accuracy and utility, end to end; else None."""
    known = set(frames.metrics_of(frames.evaluations(record, scenario)))
    parts = measures(record).groups(known)
    if len(parts) < 2:
        return None
    metrics = [*parts, *(m for m in ("retain_gap", "utility_gap") if m in known)]
    size = record.shown_size(scenario)
    frame = frames.metric_summary(record, scenario, metrics, compared=False)
    below = [frames.baseline_summary(record, scenario, baseline, metrics) for baseline in frames.BASELINES]
    means = {(r.method, r.metric): r.mean for f in (frame, *below) for r in frames.iterate(f[f["forget_size"] == size])}
    every = {**styles, **BASELINE_STYLES}
    shown = [(s.key, s.label, s.colour) for m, s in every.items() if any((m, k) in means for k in metrics)]

    panels = Panels([""], 34 + 28 * len(shown), barmode="stack")
    for key, label, colour in shown:
        for m, opacity in zip(metrics, _OPACITIES, strict=False):
            part = bar(
                x=[means.get((key, m))],
                y=[escape(label)],
                orientation="h",
                width=0.7,
                marker={"color": translucent(colour, opacity), "line": {"width": 1, "color": colour}},
                text=[escape(metric(record, m).short.removeprefix("Δ"))],
                textposition="inside",
                insidetextanchor="middle",
                name=escape(metric(record, m).title),
                showlegend=False,
                meta=None if key in frames.BASELINES else {"method": key},
                hovertemplate=f"{escape(f'{label}, {metric(record, m).short}')}: %{{x:.3g}}<extra></extra>",
            )
            panels.add(0, part)
    panels.axes(
        0,
        x={"title": axis_title("sum of the gaps (points)")},
        y={"autorange": "reversed", "type": "category", "showgrid": False},
    )

    n = least_to_most(frame.loc[frame["forget_size"] == size, "n"])
    order = ", ".join(metric(record, m).short for m in metrics)
    note = f"Means over n = {n} {sampled(record, scenario).nouns}, from left to right: {order}. Shorter is nearer to the oracle."
    title = f"{scenario_label(scenario)}: gaps stacked, the parts of the forget set apart, {frames.size_label(record, scenario)}"
    return Drawing(f"{scenario}-stacked", title, note, panels)

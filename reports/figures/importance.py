"""Hyperparameter importances of every search."""

from __future__ import annotations

from html import escape

from reports import frames
from reports.figures._base import Drawing, Panels, axis_title, bar, columns_for, least_to_most
from reports.names import parameter_label, scenario_label
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["importance_bars"]


def importance_bars(record: SweepRecord, scenario: str, styles: dict[str, MethodStyle]) -> Drawing | None:
    """One panel per hyperparameter, one bar per method: its share in what decides the method's score."""
    frame = frames.importances(record, scenario)
    if not len(frame):
        return None
    names = list(frame.groupby("hyperparameter")["share"].sum().sort_values(ascending=False).index)
    shown = [s for m, s in styles.items() if (frame["method"] == m).any()]
    share = {(r.method, r.hyperparameter): r.share for r in frames.iterate(frame)}

    panels = Panels([parameter_label(n) for n in names], 34 + 26 * len(shown), x_gap=24, left_only=True)
    for i, name in enumerate(names):
        for style in shown:
            value = share.get((style.key, name))
            label = escape(style.label)
            told = bar(
                x=[None if value is None else 100 * value],
                y=[label],
                orientation="h",
                width=0.7,
                offset=-0.35,
                marker={"color": style.colour, "pattern": {"shape": style.pattern}},
                name=label,
                legendgroup=style.key,
                showlegend=i == 0,
                meta={"method": style.key},
                hovertemplate=f"{label}, {escape(parameter_label(name, style.key))}: %{{x:.0f}} %<extra></extra>",
            )
            panels.add(i, told)
        panels.axes(
            i,
            x={"title": axis_title("share (%)"), "range": [0, 100]},
            y={"autorange": "reversed", "matches": "y" if i else None, "showgrid": False, "type": "category"},
        )
    count = least_to_most(frame["trials"])
    note = f"PED-ANOVA on n = {count} completed trials a method: the share of each hyperparameter in what tells the best tenth"
    note += " (at least five) from all. A method's shares add up to 100 %; with few trials they are rough."
    title = f"{scenario_label(scenario)}: importance of the hyperparameters in each search"
    return Drawing(f"{scenario}-importance", title, note, panels, columns=columns_for(len(names)))

"""The gaps of several sweeps side by side: one panel per measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from reports import frames
from reports.figures._base import Drawing, Panels, Trace, axis_title, columns_for, error_bars, least_to_most, scatter
from reports.names import metric, scenario_label, score_label
from reports.sampled import sampled_in
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["gaps_side_by_side"]

_SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon", "pentagon", "hourglass")
_SYMBOLS = tuple(f"{s}-open" if (i + j) % 2 else s for j in (0, 1) for i, s in enumerate(_SHAPES))


def gaps_side_by_side(
    frame: pd.DataFrame, named: Mapping[str, SweepRecord], scenario: str, styles: dict[str, MethodStyle]
) -> Drawing:
    """One panel per measure: a method's sweeps one under the other, told apart by the marker."""
    rivals = frame[~frame["method"].isin(frames.BASELINES)]
    shown = [s for m, s in styles.items() if (rivals["method"] == m).any()]
    sweeps = [s for s in named if (rivals["sweep"] == s).any()]
    panels = _panels(rivals, {s: named[s] for s in sweeps}, scenario)

    height = 40 + 18 * len(shown) * max(len(sweeps), 2)
    drawn = Panels([p.title for p in panels], height, x_gap=24, left_only=True)
    ticks = {"tickvals": list(range(len(shown))), "ticktext": [escape(s.label) for s in shown]}
    for i, panel in enumerate(panels):
        drawn.add(i, *_points(rivals[rivals["metric"] == panel.metric], panel, shown, sweeps))
        drawn.axes(
            i,
            x={"title": axis_title(panel.axis), "rangemode": "tozero"},
            y={"range": [len(shown) - 0.4, -0.6], "showgrid": False, **ticks},
        )

    markers = ", ".join(f"{' '.join(reversed(_symbol(k).split('-')))} {s}" for k, s in enumerate(sweeps))
    n = least_to_most(rivals["n"])
    over = sampled_in({s: named[s] for s in sweeps}, scenario)
    note = f"Mean ± std (cut at 0) over n = {n} {over}, each sweep at its own size. Markers: {markers}."
    title = f"{scenario_label(scenario)}: gaps to the oracle, sweep by sweep"
    return Drawing(f"{scenario}-compared", title, note, drawn, columns=columns_for(len(panels)), legend=shown)


@dataclass(frozen=True)
class _Panel:
    """One measure, of the sweeps in which it is the same one."""

    metric: str
    title: str
    axis: str
    sweeps: tuple[str, ...]


def _panels(rivals: pd.DataFrame, named: Mapping[str, SweepRecord], scenario: str) -> list[_Panel]:
    """One per gap, and one per kind of score: sweeps of different objectives do not share a panel."""
    panels = []
    for m in dict.fromkeys(rivals["metric"]):
        if m != "score":
            known = metric(next(iter(named.values())), m)
            panels.append(_Panel(m, known.title, known.axis, tuple(named)))
            continue
        kinds: dict[str, list[str]] = {}
        for sweep, record in named.items():
            kinds.setdefault(frames.score_definition(record, scenario), []).append(sweep)
        for kind, sweeps in kinds.items():
            label = score_label(named[sweeps[0]])
            title = label if len(kinds) == 1 else f"{label}: {', '.join(sweeps)}"
            panels.append(_Panel(m, title, "" if len(kinds) == 1 else kind, tuple(sweeps)))
    return panels


def _points(rows: pd.DataFrame, panel: _Panel, shown: Sequence[MethodStyle], sweeps: Sequence[str]) -> Iterator[Trace]:
    step = 0.6 / max(len(sweeps), 1)
    for place, style in enumerate(shown):
        for k, sweep in enumerate(sweeps):
            if sweep not in panel.sweeps:
                continue
            found = rows[(rows["method"] == style.key) & (rows["sweep"] == sweep)]
            told = escape(f"{style.label}, {sweep}")
            yield scatter(
                x=found["mean"].tolist(),
                y=[place + step * (k - (len(sweeps) - 1) / 2)] * len(found),
                error_x=error_bars(found["mean"].tolist(), found["std"].tolist()),
                mode="markers",
                marker={"color": style.colour, "symbol": _symbol(k), "size": 9},
                name=told,
                showlegend=False,
                meta={"method": style.key},
                hovertemplate=f"{told}: %{{x:.3g}}<extra></extra>",
            )


def _symbol(k: int) -> str:
    return _SYMBOLS[k % len(_SYMBOLS)]

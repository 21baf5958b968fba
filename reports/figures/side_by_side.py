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
    """One per kind of gap and of score: sweeps of other objectives do not share a panel, nor do gaps called otherwise."""
    panels = []
    for m, measured in rivals.groupby("metric", sort=False)["sweep"]:
        kinds: dict[tuple[str, str], list[str]] = {}
        for sweep in dict.fromkeys(measured):
            kinds.setdefault(_kind(named[sweep], scenario, str(m)), []).append(sweep)
        for (title, axis), sweeps in kinds.items():
            alone = len(kinds) == 1
            told = title if alone else f"{title}: {', '.join(sweeps)}"
            panels.append(_Panel(str(m), told, "" if alone and m == "score" else axis, tuple(sweeps)))
    return panels


def _kind(record: SweepRecord, scenario: str, m: str) -> tuple[str, str]:
    """The title of a measure's panel and of its axis: what makes it the same one in two sweeps."""
    if m == "score":
        return score_label(record), frames.score_definition(record, scenario)
    known = metric(record, m)
    return known.title, known.axis


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

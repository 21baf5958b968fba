"""What a drawing is: panels that fit a wide page, a phone, a card of the dashboard or a paper's column; and two themes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import plotly.graph_objects as go

from reports.styles import MethodStyle

__all__ = [
    "FEW",
    "INK",
    "Drawing",
    "Panels",
    "Plain",
    "Trace",
    "axis_title",
    "bar",
    "columns_for",
    "error_bars",
    "figure_of",
    "least_to_most",
    "scatter",
    "single_runs",
    "template",
    "translucent",
]

#: A trace, and a whole figure (`data` and `layout`), as plotly's JSON.
Trace = dict[str, Any]
Plain = dict[str, Any]

#: `meta` of a trace that is drawn in the colour of the text, light or dark.
INK: dict[str, Any] = {"ink": True}
_INNER_WIDTH = 1000
#: Of a paper, in pixels of 1/96 inch: a column (3.5 inches), both (7.16 inches), text of 8 points.
COLUMN, TEXT_WIDTH, PAPER_TEXT = 336, 687, 10.7
#: So many runs of a method are drawn as points, more as a standard deviation.
FEW = 10


class Panels:
    """Panels of one height and what is drawn in each, to be laid out in as many columns as there is room for.

    They are plain JSON: plotly's own builders look at every property at each step, which would be most of a report's time.
    Whoever needs a plotly figure has it checked once, by `figure_of`.

    Args:
        titles: of each panel; height: of each in pixels, without gaps; x_gap, y_gap: pixels between panels.
        left_only: whether panels of the first column alone have labels and a title at their y axis.
        scale: plotly's `coloraxis`, whose bar is drawn above the panels.
        layout: of plotly's, what else the figure has.
    """

    def __init__(
        self,
        titles: Sequence[str],
        height: int,
        *,
        x_gap: int = 48,
        y_gap: int = 86,
        left_only: bool = False,
        scale: Mapping[str, Any] | None = None,
        **layout: Any,
    ) -> None:
        self._titles, self._height, self._gaps = titles, height, (x_gap, y_gap)
        self._left_only, self._scale, self._layout = left_only, scale, layout
        self._axes: list[dict[str, dict[str, Any]]] = [{"x": {}, "y": {}} for _ in titles]
        self._traces: list[Trace] = []

    def add(self, panel: int, *traces: Trace) -> None:
        """Draw traces in a panel, the first of which is 0; properties that are None are left out."""
        for trace in traces:
            own = {name: value for name, value in trace.items() if value is not None}
            self._traces.append(own | {f"{side}axis": _axis(side, panel) for side in "xy"})

    def axes(self, panel: int, *, x: Mapping[str, Any], y: Mapping[str, Any]) -> None:
        """Properties of a panel's axes; those that are None are left out."""
        for side, given in (("x", x), ("y", y)):
            self._axes[panel][side] |= {name: value for name, value in given.items() if value is not None}

    def laid_out(self, columns: int) -> Plain:
        """The panels row by row in so many columns; the traces are shared by all layouts, the layout is the caller's."""
        rows = math.ceil(len(self._titles) / columns)
        x_gap, y_gap = self._gaps
        total = rows * self._height + (rows - 1) * y_gap
        widths = _spans(columns, min(x_gap / _INNER_WIDTH, 0.9 / max(columns - 1, 1)))
        heights = _spans(rows, y_gap / total if rows > 1 else 0.0)[::-1]
        layout: dict[str, Any] = {"annotations": [], **self._layout}
        for panel, (title, own) in enumerate(zip(self._titles, self._axes, strict=True)):
            x, y = widths[panel % columns], heights[panel // columns]
            y_axis = dict(own["y"])
            if self._left_only and panel % columns:
                y_axis = {name: value for name, value in y_axis.items() if name != "title"} | {"showticklabels": False}
            layout[_axis("x", panel, "axis")] = {"anchor": _axis("y", panel), "domain": x, **own["x"]}
            layout[_axis("y", panel, "axis")] = {"anchor": _axis("x", panel), "domain": y, **y_axis}
            if title:
                layout["annotations"].append(_panel_title(title, x, y))
        room = 0
        if self._scale is not None:
            room = 50
            above = {"orientation": "h", "y": 1 + 30 / total, "yanchor": "bottom"}
            layout["coloraxis"] = {**self._scale, "colorbar": {**self._scale["colorbar"], **above}}
        layout |= {"height": total + 96 + room, "margin": {"l": 8, "r": 12, "t": 34 + room, "b": 62}}
        layout |= {"showlegend": False, "hovermode": "closest"}
        return {"data": self._traces, "layout": layout}


def _axis(side: str, panel: int, word: str = "") -> str:
    """How plotly calls an axis of a panel in a trace, and, with `word`, in the layout."""
    return f"{side}{word}{panel + 1 if panel else ''}"


def _spans(count: int, gap: float) -> list[list[float]]:
    """So many equal parts of 0 … 1 with gaps between them."""
    width = (1 - gap * (count - 1)) / count
    return [[i * (width + gap), min(i * (width + gap) + width, 1.0)] for i in range(count)]


def _panel_title(title: str, x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    place = {"x": sum(x) / 2, "xanchor": "center", "y": y[1], "yanchor": "bottom", "xref": "paper", "yref": "paper"}
    return {"text": escape(title), "font": {"size": 13}, "showarrow": False, **place}


def figure_of(plain: Plain) -> go.Figure:
    """A plotly figure, each of whose properties plotly has looked at.

    Raises:
        ValueError: a property is none of plotly's, or its value cannot be.
    """
    figure = go.Figure(plain)
    if "template" not in plain["layout"]:
        figure.layout.template = None  # else plotly's own
    return figure


@dataclass(frozen=True)
class Drawing:
    """A figure of the report.

    Attributes:
        key: file name without its ending, and the figure's identifier.
        title: what the figure shows; note: n, error bars and how to read it.
        panels: what is drawn; columns: of panels, as many as a wide page takes.
        legend: methods to be named beside the figure. method: the one method the figure speaks of, if so.
        named: whether its traces bear names of their own, for a legend in print.
    """

    key: str
    title: str
    note: str
    panels: Panels
    columns: int = 1
    legend: Sequence[MethodStyle] = field(default_factory=tuple)
    method: str | None = None
    named: bool = False

    def wide(self) -> Plain:
        """The figure of the page, in as many columns as it has."""
        return self.panels.laid_out(self.columns)

    def narrow(self) -> Plain:
        """The same traces with the panels one below the other."""
        return self.panels.laid_out(1)

    def for_paper(self) -> Plain:
        """As wide as a column of a paper, or as two where it has several panels: text of 8 points, the title left out."""
        columns = min(self.columns, 2)
        plain = self.panels.laid_out(columns)
        layout, margin = plain["layout"], plain["layout"]["margin"]
        legend = bool(self.legend) or self.named
        room = 20 * -(-max(len(self.legend), 3) // (3 * columns)) if legend else 0
        layout |= {
            "template": template(dark=False),
            "font": {"size": PAPER_TEXT, "family": "Helvetica, Arial, sans-serif"},
            "showlegend": legend,
            "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
            "margin": {**margin, "b": margin["b"] + room, "l": max(margin["l"], 12)},
            "height": layout["height"] + room,
            "width": COLUMN if columns == 1 else TEXT_WIDTH,
        }
        for annotation in layout["annotations"]:
            annotation["font"] = {"size": PAPER_TEXT}
        if columns == 2:
            _widen_gap(layout, 1.15 * _INNER_WIDTH / TEXT_WIDTH)
        return plain

    def printed(self) -> Plain:
        """For a screen: with its title and legend, on white."""
        plain = self.panels.laid_out(self.columns)
        layout, room = plain["layout"], 50  # for the title
        top = layout["margin"]["t"] + room
        layout |= {
            "template": template(dark=False),
            "showlegend": bool(self.legend) or self.named,
            "margin": {**layout["margin"], "t": top},
            "height": layout["height"] + room,
            "width": max(240 + 380 * self.columns, 120 + 9 * len(self.title)),
        }
        # As an annotation: plotly shifts a layout's title out of the picture where there is a horizontal colour bar.
        place = {"x": 0, "xanchor": "left", "y": 1, "xref": "paper", "yref": "paper", "yanchor": "middle"}
        title = {"text": escape(self.title), "font": {"size": 16}, "showarrow": False, **place, "yshift": top - 24}
        layout["annotations"].append(title)
        return plain


def _widen_gap(layout: dict[str, Any], by: float) -> None:
    """Make the gap between two columns of panels a larger share of the width: what stands in it is not narrower on paper."""
    axes = [axis for name, axis in layout.items() if name.startswith("xaxis")]
    left, right = min(axis["domain"][1] for axis in axes), max(axis["domain"][0] for axis in axes)
    middle, gap = (left + right) / 2, by * (right - left)
    for axis in axes:
        axis["domain"] = [0, middle - gap / 2] if axis["domain"][0] < middle else [middle + gap / 2, 1]
    for title in layout["annotations"]:
        title["x"] = (middle - gap / 2) / 2 if title["x"] < middle else (1 + middle + gap / 2) / 2


def template(dark: bool) -> dict[str, Any]:
    """Ink and grid for dark or light paper; the paper itself shows through."""
    ink, grid = ("#e6e6e6", "#3a3f44") if dark else ("#1f2328", "#e3e6e8")
    # Only labels left of a panel may widen its margin: margins that follow labels on two sides can chase each other for ever.
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "ticks": ""}
    return {
        "layout": {
            "font": {"color": ink, "family": "system-ui, sans-serif", "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)" if dark else "white",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis | {"automargin": False, "tickangle": 0},
            "yaxis": axis | {"automargin": "left"},
        }
    }


def scatter(**properties: Any) -> Trace:
    """Points and lines: plotly's `scatter`."""
    return {"type": "scatter", **properties}


def bar(**properties: Any) -> Trace:
    """Bars: plotly's `bar`."""
    return {"type": "bar", **properties}


def axis_title(text: str, standoff: int = 4) -> dict[str, Any]:
    """The title of an axis, so many pixels from its labels."""
    return {"text": escape(text), "standoff": standoff}


def columns_for(panels: int) -> int:
    """Columns of a wide page for that many panels, without a hole where one can be avoided."""
    return panels if panels < 4 else 2 if panels == 4 else 3


def least_to_most(counts: Iterable[float]) -> str:
    """`4`, or `1 to 4` where they are not equal."""
    found = sorted({int(count) for count in counts}) or [0]
    return f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"


def error_bars(mean: Sequence[float], std: Sequence[float]) -> dict[str, Any]:
    """± std, cut at zero, below which nothing that a report draws can lie; without bars where there is no std."""
    known = [s if math.isfinite(s) else 0.0 for s in std]
    below = [min(s, max(m, 0.0)) if math.isfinite(m) else 0.0 for m, s in zip(mean, known, strict=True)]
    bars = {"array": known, "arrayminus": below, "symmetric": False}
    return {"type": "data", **bars, "visible": any(known), "thickness": 1.3, "width": 3}


def translucent(colour: str, alpha: float) -> str:
    """A `#rrggbb` colour with opacity."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"


def single_runs(x: Sequence[float], y: Sequence[float], style: MethodStyle, shown: str) -> Trace:
    """The runs of a method as small points in its colour; `shown` is what hovering says of each of them."""
    return scatter(
        x=list(x),
        y=list(y),
        mode="markers",
        marker={"color": translucent(style.colour, 0.55), "symbol": style.symbol, "size": 4.5},
        legendgroup=style.key,
        showlegend=False,
        meta={"method": style.key},
        cliponaxis=False,
        hovertemplate=f"{escape(style.label)}, one run: {shown}<extra></extra>",
    )

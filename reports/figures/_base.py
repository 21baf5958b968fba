"""What a drawing is, its two themes, and panels that fit a wide page or a phone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports.styles import MethodStyle

__all__ = ["FEW", "INK", "Drawing", "columns_for", "error_bars", "panel_grid", "single_runs", "template", "translucent"]

#: `meta` of a trace that is drawn in the colour of the text, light or dark.
INK: dict[str, Any] = {"ink": True}
_INNER_WIDTH = 1000
#: Of a paper, in pixels of 1/96 inch: a column (3.5 inches), both (7.16 inches), text of 8 points.
COLUMN, TEXT_WIDTH, PAPER_TEXT = 336, 687, 10.7
#: So many runs of a method are drawn as points, more as a standard deviation.
FEW = 10


@dataclass(frozen=True)
class Drawing:
    """A figure of the report.

    Attributes:
        key: file name without its ending, and the figure's identifier.
        title: what the figure shows; note: n, error bars and how to read it.
        build: columns of panels → figure; columns: as many as a wide page takes.
        legend: methods to be named beside the figure. method: the one method the figure speaks of, if so.
        named: whether its traces bear names of their own, for a legend in print.
    """

    key: str
    title: str
    note: str
    build: Callable[[int], go.Figure]
    columns: int = 1
    legend: Sequence[MethodStyle] = field(default_factory=tuple)
    method: str | None = None
    named: bool = False

    @cached_property
    def wide(self) -> go.Figure:
        """The figure of the page, in as many columns as it has."""
        return self.build(self.columns)

    @cached_property
    def narrow(self) -> go.Figure:
        """The same traces with the panels one below the other."""
        return self.build(1) if self.columns > 1 else self.wide

    def for_paper(self) -> go.Figure:
        """A copy as wide as a column of a paper, or as two where it has several panels: text of 8 points, the title left out."""
        columns = min(self.columns, 2)
        figure = self.build(columns)
        legend = bool(self.legend) or self.named
        margin, rows = figure.layout.margin, -(-max(len(self.legend), 3) // (3 * columns)) if legend else 0
        room = 20 * rows
        figure.update_layout(
            template=template(dark=False),
            font={"size": PAPER_TEXT, "family": "Helvetica, Arial, sans-serif"},
            showlegend=legend,
            legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
            margin={"b": margin.b + room, "l": max(margin.l, 12)},
            height=figure.layout.height + room,
            width=COLUMN if columns == 1 else TEXT_WIDTH,
        )
        figure.update_annotations(font_size=PAPER_TEXT)
        if columns == 2:
            _widen_gap(figure, 1.15 * _INNER_WIDTH / TEXT_WIDTH)
        return figure

    def printed(self) -> go.Figure:
        """A copy for a screen: with its title and legend, on white."""
        figure = self.build(self.columns)
        room = 50  # for the title
        top = figure.layout.margin.t + room
        figure.update_layout(
            template=template(dark=False),
            showlegend=bool(self.legend) or self.named,
            margin={"t": top},
            height=figure.layout.height + room,
            width=max(240 + 380 * self.columns, 120 + 9 * len(self.title)),
        )
        # As an annotation: plotly shifts a layout's title out of the picture where there is a horizontal colour bar.
        place = {
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "xref": "paper",
            "yref": "paper",
            "yanchor": "middle",
            "yshift": top - 24,
        }
        figure.add_annotation(text=escape(self.title), font_size=16, showarrow=False, **place)
        return figure


def _widen_gap(figure: go.Figure, by: float) -> None:
    """Make the gap between two columns of panels a larger share of the width: what stands in it is not narrower on paper."""
    left = min(axis.domain[1] for axis in figure.select_xaxes())
    right = max(axis.domain[0] for axis in figure.select_xaxes())
    middle, gap = (left + right) / 2, by * (right - left)
    for axis in figure.select_xaxes():
        axis.domain = (0, middle - gap / 2) if axis.domain[0] < middle else (middle + gap / 2, 1)
    for annotation in figure.layout.annotations:
        if annotation.xref == "paper" and annotation.x in (left / 2, (1 + right) / 2):
            annotation.x = (middle - gap / 2) / 2 if annotation.x < middle else (1 + middle + gap / 2) / 2


def template(dark: bool) -> go.layout.Template:
    """Ink and grid for dark or light paper; the paper itself shows through."""
    ink, grid = ("#e6e6e6", "#3a3f44") if dark else ("#1f2328", "#e3e6e8")
    # Only labels left of a panel may widen its margin: margins that follow labels on two sides can chase each other for ever.
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "ticks": ""}
    return go.layout.Template(
        layout={
            "font": {"color": ink, "family": "system-ui, sans-serif", "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)" if dark else "white",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis | {"automargin": False, "tickangle": 0},
            "yaxis": axis | {"automargin": "left"},
        }
    )


def panel_grid(titles: Sequence[str], columns: int, height: int, *, x_gap: int = 48, y_gap: int = 86) -> go.Figure:
    """Empty panels, row by row, each `height` pixels high; panel i lies at row i // columns + 1, column i % columns + 1."""
    rows = math.ceil(len(titles) / columns)
    total = rows * height + (rows - 1) * y_gap
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[escape(t) for t in titles],
        horizontal_spacing=min(x_gap / _INNER_WIDTH, 0.9 / max(columns - 1, 1)),
        vertical_spacing=y_gap / total if rows > 1 else 0,
    )
    figure.update_annotations(font_size=13)
    figure.update_layout(
        height=total + 96,
        margin={"l": 8, "r": 12, "t": 34, "b": 62},
        showlegend=False,
        template=None,
        hovermode="closest",
    )
    return figure


def columns_for(panels: int) -> int:
    """Columns of a wide page for that many panels, without a hole where one can be avoided."""
    return panels if panels < 4 else 2 if panels == 4 else 3


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


def single_runs(x: Sequence[float], y: Sequence[float], style: MethodStyle, shown: str) -> go.Scatter:
    """The runs of a method as small points in its colour; `shown` is what hovering says of each of them."""
    return go.Scatter(
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

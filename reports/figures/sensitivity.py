"""Sensitivity heatmaps over two hyperparameters, learning rate and α by default (the paper's Figure 16)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from reports import frames
from reports.figures._base import INK, Drawing, Panels, Trace, axis_title, columns_for, scatter
from reports.names import method_label, metric, parameter_label, scenario_label
from sweeps.record import SweepRecord, number

__all__ = ["DIVERGING", "DIVERGING_DARK", "sensitivity_heatmap", "unmoved"]

#: Blue (nearer to the oracle) through near-white to vermillion (farther), told apart by every kind of colour vision.
DIVERGING = [(0.0, "#0B5A8F"), (0.25, "#7FB4D6"), (0.5, "#F5F5F2"), (0.75, "#EFA77A"), (1.0, "#B34700")]
#: The same on dark paper: what does not change is as dark as the paper.
DIVERGING_DARK = [(0.0, "#8CC8F0"), (0.25, "#2F7FB5"), (0.5, "#22272B"), (0.75, "#B8561A"), (1.0, "#F5B183")]


def unmoved(record: SweepRecord, scenario: str, method: str) -> int:
    """Points of a grid on which no gap differs from the centre's anywhere; 0 where one does, or nothing is known."""
    change = frames.sensitivity(record, scenario, method)
    if not len(change) or change["change"].isna().any() or change["change"].any():
        return 0
    return int((change["metric"] == change["metric"].iloc[0]).sum())


def sensitivity_heatmap(record: SweepRecord, scenario: str, method: str) -> Drawing | None:
    """One panel per accuracy gap: its change against the centre, on one scale that is symmetrical about zero."""
    frame = frames.sensitivity(record, scenario, method)
    if not len(frame) or not frame["change"].notna().any() or unmoved(record, scenario, method):
        return None
    metrics = list(dict.fromkeys(frame["metric"]))
    limit = float(frame["change"].abs().max()) or 1.0
    grids = {m: frames.sensitivity_grid(frame, m) for m in metrics}
    x, y = frames.axes(record)
    with_other = bool(frame[y].notna().any())
    complement = with_other and not np.allclose(frame[f"{y}_factor"], frame[y] / _centre(frame, y), atol=1e-3)
    rows = len(next(iter(grids.values())))
    places = 2 if limit < 1 else 1 if limit < 20 else 0

    titles = [metric(record, m).title for m in metrics]
    beside = {"thickness": 10, "len": 0.8, "title": {"text": " points", "side": "right"}}
    scale = {"cmin": -limit, "cmax": limit, "colorscale": DIVERGING, "colorbar": beside}
    panels = Panels(titles, max(60, 44 * rows), x_gap=32, y_gap=92, left_only=True, scale=scale)
    for i, m in enumerate(metrics):
        noise = float(frame.loc[frame["metric"] == m, "noise"].iloc[0])
        panels.add(i, _heatmap(frame, grids[m], places, noise, complement), _crosses(frame, grids[m], complement))
        other = {"title": axis_title(parameter_label(y, method))} if with_other else {"showticklabels": False}
        panels.axes(
            i,
            x={"title": axis_title(parameter_label(x, method), 30), "type": "category", "showgrid": False},
            y={"type": "category", "showgrid": False, **other},
        )

    failed = int(frame.loc[frame["metric"] == metrics[0], "failed"].sum())
    centre = frame.loc[frame[f"{x}_factor"] == 1, x].iloc[:1]
    repeats = int(frame["repeats"].max())
    runs = "one run each" if repeats < 2 else f"one run each, {repeats} at the centre,"
    note = f"Grid of {next(iter(grids.values())).size}, {runs} {frames.epoch_of(record, scenario, method)}"
    sizes = frame["forget_size"].dropna().unique()
    note += f", forget size {int(sizes[0])}" if len(sizes) == 1 else ""
    note += f", centre at {parameter_label(x)} = {number(float(centre.iloc[0]))}" if len(centre) else ""
    note += "." if with_other else f"; the method has no {parameter_label(y)}."
    note += " Colour and numbers: change of the gap against the centre (bold labels), in percentage points, one scale for all"
    note += " panels; blue, negative: nearer to the oracle than at the centre."
    note += _noise_words(frame)
    note += f" Failed grid points (✕): {failed}." if failed else ""
    title = f"{scenario_label(scenario)}: sensitivity of {method_label(method)} to its hyperparameters"
    return Drawing(
        f"{scenario}-sensitivity-{method}", title, note, panels, columns=columns_for(len(metrics)), method=method
    )


def _centre(frame: pd.DataFrame, name: str) -> float:
    at = frame.loc[np.isclose(frame[f"{name}_factor"], 1), name]
    return float(at.iloc[0]) if len(at) else float("nan")


def _noise_words(frame: pd.DataFrame) -> str:
    """Which changes are no more than the centre's own repeats give."""
    if not frame["noise"].notna().any():
        return " The centre was run once: how much of a change is chance is not known."
    return " In brackets: no farther from the centre than one more run of it lies in 95 of 100 cases (no correction over cells)."


def _heatmap(frame: pd.DataFrame, grid: pd.DataFrame, places: int, noise: float, complement: bool) -> Trace:
    x, y = (parameter_label(str(name)) for name in (grid.columns.name, grid.index.name))
    values = grid.to_numpy(float)
    text = [["" if not np.isfinite(v) else _told(v, places, noise) for v in row] for row in values]
    return {
        "type": "heatmap",
        "z": [[None if not np.isfinite(v) else float(v) for v in row] for row in values],
        "x": _labels(frame, str(grid.columns.name), grid.columns.astype(float)),
        "y": _labels(frame, str(grid.index.name), grid.index, _complement(grid) if complement else ""),
        "text": text,
        "texttemplate": "%{text}",
        "coloraxis": "coloraxis",
        "hovertemplate": f"{x} %{{x}}<br>{y} %{{y}}<br>change %{{text}}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }


def _complement(grid: pd.DataFrame) -> str:
    return f"1 − {parameter_label(str(grid.index.name))} "


def _crosses(frame: pd.DataFrame, grid: pd.DataFrame, complement: bool) -> Trace:
    """A ✕ at each point without a value, in ink: it has no colour of its own to stand on."""
    xs = _labels(frame, str(grid.columns.name), grid.columns.astype(float))
    ys = _labels(frame, str(grid.index.name), grid.index, _complement(grid) if complement else "")
    rows, columns = np.nonzero(~np.isfinite(grid.to_numpy(float)))
    at = {"x": [xs[i] for i in columns], "y": [ys[i] for i in rows]}
    return scatter(**at, mode="text", text=["✕"] * len(rows), meta=INK, showlegend=False, hoverinfo="skip")


def _labels(frame: pd.DataFrame, name: str, values: Iterable[float], of: str = "") -> list[str]:
    factors = dict(zip(frame[name], frame[f"{name}_factor"], strict=True))
    labels = []
    for value in values:
        if not np.isfinite(value):
            labels.append("–")
            continue
        percent, text = 100 * (factors[value] - 1), number(float(value))
        centre = abs(percent) < 1e-6
        labels.append(f"<b>{text}<br>0 %</b>" if centre else f"{text}<br>{of}{percent:+.3g} %".replace("-", "−"))
    return labels


def _told(value: float, places: int, noise: float) -> str:
    """A change; in brackets where it is within the noise."""
    text = _signed(value, places)
    return f"({text})" if value and abs(value) <= noise else text


def _signed(value: float, places: int) -> str:
    text = f"{value:+.{places}f}"
    return "0" if float(text) == 0 else text.replace("-", "−")

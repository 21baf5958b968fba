"""How much each gap changes when two hyperparameters, learning rate and α by default, move away from the tuned values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from reports.frames._base import EPOCH, metrics_of, stage_trials
from reports.names import measures
from sweeps.record import SweepRecord, metric_rounding, once

__all__ = ["axes", "sensitivity", "sensitivity_grid", "sensitivity_summary"]

_VALUES = ("value", "change", "centre", "noise", "repeats", "failed", "forget_size")


def axes(record: SweepRecord) -> tuple[str, str]:
    """The two hyperparameters that grids of the sweep vary."""
    section = record.spec.get("sensitivity") or {}
    return section.get("x", "lr"), section.get("y", "alpha")


def _columns(x: str, y: str) -> list[str]:
    return ["scenario", "method", "metric", x, y, f"{x}_factor", f"{y}_factor", *_VALUES]


@once
def sensitivity(record: SweepRecord, scenario: str, method: str) -> pd.DataFrame:
    """One row per accuracy gap and grid point: its value and its change against the centre (percentage points, + is worse).

    The centre is the grid point at the best hyperparameters (where it has none, its middle). A failed point has NaNs and
    `failed`; where the centre itself has no value, no change is known. What differs by the rounding of a mean alone is no
    change. The hyperparameters stand in columns of their own names; the second is NaN for a method without it, its `_factor` of
    1 − α where that was varied. `repeats` is how often the centre was run, `noise` how far from their mean one more run of it
    would lie in 95 of 100 cases (Student's t; NaN below two): a change within it is none that can be told.
    """
    rows = stage_trials(record, "sensitivity", scenario)
    rows = rows[(rows["method"] == method) & rows["state"].isin(["COMPLETE", "FAIL"])] if len(rows) else rows
    x, y = axes(record)
    if not len(rows) or f"hp.{x}" not in rows:
        return pd.DataFrame(columns=_columns(x, y))
    other = rows[f"hp.{y}"].astype(float) if f"hp.{y}" in rows else pd.Series(np.nan, rows.index)
    points = pd.DataFrame(
        {x: _same(rows[f"hp.{x}"].astype(float)), y: _same(other), "done": rows["state"] == "COMPLETE"}
    )
    best = record.best.get(scenario, {}).get(method, {})
    centre = {name: _centre(points[name], best, name) for name in (x, y)}
    known = measures(record).family_gaps("accuracy", metrics_of(rows))
    parts = [
        _changes(points, rows[f"{EPOCH}{m}"].astype(float), centre, metric_rounding(record, rows, m)).assign(metric=m)
        for m in known
    ]
    if not parts:
        return pd.DataFrame(columns=_columns(x, y))
    out = pd.concat(parts, ignore_index=True)
    factors = {f"{name}_factor": _factors(record, out[name], centre[name], name) for name in (x, y)}
    sizes = rows["forget_size"].dropna().unique()
    size = sizes[0] if len(sizes) == 1 else np.nan
    return out.assign(scenario=scenario, method=method, forget_size=size, **factors)[_columns(x, y)]


def _changes(
    points: pd.DataFrame, metric: pd.Series[float], centre: Mapping[str, float], rounding: float
) -> pd.DataFrame:
    """One metric's value, its change against the centre and the noise, one row per point of a grid.

    Args:
        rounding: as `metric_rounding` gives it; where it is not known, the least distance of two values stands for a step.
    """
    x, y = centre
    values = points.assign(value=metric.where(points["done"]))
    grid = values.groupby([x, y], dropna=False, as_index=False).agg(value=("value", "mean"), done=("done", "any"))

    def at_centre(frame: pd.DataFrame) -> pd.Series[bool]:
        return (frame[x] == centre[x]) & ((frame[y] == centre[y]) | frame[y].isna())

    centred = at_centre(grid)
    middle = grid.loc[centred, "value"]
    repeats = values.loc[at_centre(values), "value"].dropna().to_numpy()
    return grid.assign(
        change=(grid["value"] - (middle.iloc[0] if len(middle) else np.nan)).round(9),
        centre=centred,
        noise=_noise(repeats, rounding or _least_step(values["value"]) / np.sqrt(6)),
        repeats=len(repeats),
        failed=~grid["done"],
    )


def sensitivity_grid(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The changes of one metric as a grid: the second hyperparameter (α) down the rows, the first (lr) along the columns.

    One row (NaN) for a method without the second.
    """
    rows = frame[frame["metric"] == metric]
    x, y = frame.columns[3:5]
    xs, ys = np.sort(rows[x].unique()), np.sort(rows[y].unique())
    changes = np.full((len(ys), len(xs)), np.nan)
    changes[np.searchsorted(ys, rows[y]), np.searchsorted(xs, rows[x])] = rows["change"]
    return pd.DataFrame(changes, index=pd.Index(ys, name=y), columns=pd.Index(xs, name=x))


def sensitivity_summary(record: SweepRecord, scenario: str, methods: list[str]) -> pd.DataFrame:
    """One row per method and gap: largest rise and fall, mean absolute change, noise, how many beyond it, points, failures.

    The mean is over what lies round the centre: its own change is 0 by definition.
    """
    rows = []
    for method in methods:
        for metric, part in sensitivity(record, scenario, method).groupby("metric", sort=False):
            change = part.loc[~part["centre"], "change"].dropna()
            if len(change):
                noise = float(part["noise"].iloc[0])
                beyond = int((change.abs() > noise).sum()) if np.isfinite(noise) else -1
                extent = (max(change.max(), 0.0), min(change.min(), 0.0), change.abs().mean(), noise, beyond)
                rows.append((method, metric, *extent, len(part), part["failed"].sum()))
    extents = ["largest_rise", "largest_fall", "mean_absolute", "noise", "beyond_noise"]
    columns = ["method", "metric", *extents, "points", "failed"]
    return pd.DataFrame(rows, columns=columns)


def varies_complement(record: SweepRecord, alphas: pd.Series[float], centre: float) -> bool:
    """Whether it is the distance from 1 that a grid varies by the sweep's span, as newer versions do where α crowds towards 1."""
    span = float((record.spec.get("sensitivity") or {}).get("span", 0.2))
    least = float(alphas.min())
    if not np.isfinite(least) or not 0 < centre < 1:
        return False
    as_itself, as_rest = least / centre - (1 - span), (1 - least) / (1 - centre) - (1 + span)
    return abs(as_itself) > 1e-3 >= abs(as_rest)


def _factors(record: SweepRecord, values: pd.Series[float], centre: float, name: str) -> pd.Series[float]:
    """By what each value differs from the centre's: itself or, where that was varied, its distance from 1."""
    complement = name != "lr" and varies_complement(record, values, centre)
    return (1 - values) / (1 - centre) if complement else values / centre


def _noise(repeats: npt.NDArray[np.float64], rounding: float) -> float:
    """Half the width of the 95 % prediction interval of one more run, of at least the spread that rounding gives."""
    n = len(repeats)
    if n < 2:
        return float("nan")
    spread = max(float(repeats.std(ddof=1)), rounding)
    return float(stdtrit(n - 1, 0.975) * spread * np.sqrt(1 + 1 / n))


def _least_step(values: pd.Series[float]) -> float:
    steps = np.diff(np.unique(values.dropna().round(9)))
    return float(steps.min()) if len(steps) else 0.0


def _same(values: pd.Series[float]) -> pd.Series[float]:
    """Values that differ by rounding only become equal."""
    return values.map(lambda v: float(f"{v:.9g}"))


def _centre(values: pd.Series[float], best: Mapping[str, Any], name: str) -> float:
    known = np.sort(values.dropna().unique())
    if not len(known):
        return float("nan")
    target = best.get(name)
    if isinstance(target, int | float):
        nearest = float(known[np.argmin(np.abs(known - target))])
        if np.isclose(nearest, target, rtol=1e-6, atol=0):
            return nearest  # else the grid was laid round another point
    return float(known[len(known) // 2])

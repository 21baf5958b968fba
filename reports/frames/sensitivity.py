"""How much each gap changes when learning rate and α move away from the tuned values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from reports.frames._base import EPOCH, metrics_of, stage_trials
from reports.names import measures
from sweeps.record import SweepRecord

__all__ = ["sensitivity", "sensitivity_grid", "sensitivity_summary"]

COLUMNS = [
    "scenario",
    "method",
    "metric",
    "lr",
    "alpha",
    "lr_factor",
    "alpha_factor",
    "value",
    "change",
    "noise",
    "repeats",
    "failed",
    "forget_size",
]


def sensitivity(record: SweepRecord, scenario: str, method: str) -> pd.DataFrame:
    """One row per accuracy gap and grid point: its value and its change against the centre (percentage points, + is worse).

    The centre is the grid point at the best hyperparameters (where it has none, its middle). A failed point has
    NaNs and `failed`; where the centre itself has no value, no change is known. `alpha` is NaN for a method without one;
    `alpha_factor` is of 1 − α where that was varied. `repeats` is how often the centre was run, `noise` how far from their mean
    one more run of it would lie in 95 of 100 cases (Student's t; NaN below two): a change within it is none that can be told.
    """
    rows = stage_trials(record, "sensitivity", scenario)
    rows = rows[(rows["method"] == method) & rows["state"].isin(["COMPLETE", "FAIL"])] if len(rows) else rows
    if not len(rows) or "hp.lr" not in rows:
        return pd.DataFrame(columns=COLUMNS)
    lr = _same(rows["hp.lr"].astype(float))
    alpha = rows["hp.alpha"].astype(float) if "hp.alpha" in rows else pd.Series(np.nan, rows.index)
    points = pd.DataFrame({"lr": lr, "alpha": _same(alpha), "done": rows["state"] == "COMPLETE"})
    sizes = rows["forget_size"].dropna().unique()
    best = record.best.get(scenario, {}).get(method, {})
    centre_lr, centre_alpha = _centre(points["lr"], best, "lr"), _centre(points["alpha"], best, "alpha")
    known = metrics_of(rows)
    parts = []
    for metric in measures(record).family_gaps("accuracy", known):
        values = points.assign(value=rows[f"{EPOCH}{metric}"].astype(float).where(points["done"]))
        grid = values.groupby(["lr", "alpha"], dropna=False, as_index=False).agg(
            value=("value", "mean"), done=("done", "any")
        )
        at_centre = (grid["lr"] == centre_lr) & ((grid["alpha"] == centre_alpha) | grid["alpha"].isna())
        centre = grid.loc[at_centre, "value"]
        change = grid["value"] - (centre.iloc[0] if len(centre) else np.nan)
        runs = values.loc[(values["lr"] == centre_lr) & ((values["alpha"] == centre_alpha) | values["alpha"].isna())]
        repeats = runs["value"].dropna().to_numpy()
        noise = _noise(repeats, _least_step(values["value"]))
        grid = grid.assign(metric=metric, change=change, noise=noise, repeats=len(repeats))
        parts.append(grid.assign(failed=~grid["done"]))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    out = pd.concat(parts, ignore_index=True)
    factors = {"lr_factor": out["lr"] / centre_lr, "alpha_factor": _alpha_factors(record, out["alpha"], centre_alpha)}
    size = sizes[0] if len(sizes) == 1 else np.nan
    return out.assign(scenario=scenario, method=method, forget_size=size, **factors)[COLUMNS]


def sensitivity_grid(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The changes of one metric as a grid: α down the rows, lr along the columns; one row (NaN) for a method without α."""
    rows = frame[frame["metric"] == metric]
    lrs, alphas = np.sort(rows["lr"].unique()), np.sort(rows["alpha"].unique())
    changes = np.full((len(alphas), len(lrs)), np.nan)
    changes[np.searchsorted(alphas, rows["alpha"]), np.searchsorted(lrs, rows["lr"])] = rows["change"]
    return pd.DataFrame(changes, index=pd.Index(alphas, name="alpha"), columns=pd.Index(lrs, name="lr"))


def sensitivity_summary(record: SweepRecord, scenario: str, methods: list[str]) -> pd.DataFrame:
    """One row per method and gap: largest rise and fall, mean absolute change, noise, how many beyond it, points, failures."""
    rows = []
    for method in methods:
        for metric, part in sensitivity(record, scenario, method).groupby("metric", sort=False):
            change = part["change"].dropna()
            if len(change):
                noise = float(part["noise"].iloc[0])
                beyond = int((change.abs() > noise).sum()) if np.isfinite(noise) else -1
                extent = (change.max(), change.min(), change.abs().mean(), noise, beyond)
                rows.append((method, metric, *extent, len(part), part["failed"].sum()))
    extents = ["largest_rise", "largest_fall", "mean_absolute", "noise", "beyond_noise"]
    columns = ["method", "metric", *extents, "points", "failed"]
    return pd.DataFrame(rows, columns=columns)


def varies_complement(record: SweepRecord, alphas: pd.Series[float], centre: float) -> bool:
    """Whether it is 1 − α that a grid varies by the sweep's span, as newer versions do where α crowds towards 1."""
    span = float((record.spec.get("sensitivity") or {}).get("span", 0.2))
    least = float(alphas.min())
    if not np.isfinite(least) or not 0 < centre < 1:
        return False
    as_itself, as_rest = least / centre - (1 - span), (1 - least) / (1 - centre) - (1 + span)
    return abs(as_itself) > 1e-3 >= abs(as_rest)


def _alpha_factors(record: SweepRecord, alphas: pd.Series[float], centre: float) -> pd.Series[float]:
    return (1 - alphas) / (1 - centre) if varies_complement(record, alphas, centre) else alphas / centre


def _noise(repeats: npt.NDArray[np.float64], step: float) -> float:
    """Half the width of the 95 % prediction interval of one more run, of at least the spread that rounding gives."""
    n = len(repeats)
    if n < 2:
        return float("nan")
    spread = max(float(repeats.std(ddof=1)), step / np.sqrt(6))
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

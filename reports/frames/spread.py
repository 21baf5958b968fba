"""What a score varies with: the training, the forget set, the unlearning run."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reports.frames._base import FLOOR, evaluations
from sweeps.record import SweepRecord, draws_vary

__all__ = ["components", "spread_by_axis"]

AXES = ("training", "forget set", "run", "forget set and run")


def spread_by_axis(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """One row per method, the floor last: standard deviation of each component of the score at the shown size, trainings, n.

    Columns `training`, `forget set`, `run` and, where each forget set was run once, `forget set and run`; NaN where it is not
    known. Methods that were run once have no row.
    """
    rows = pd.concat([evaluations(record, scenario), evaluations(record, scenario, FLOOR)])
    size = record.shown_size(scenario)
    rows = rows[(rows["forget_size"] == size) if size is not None else rows["forget_size"].isna()]
    vary = draws_vary(record, scenario)
    order = sorted(dict.fromkeys(rows["method"]), key=lambda m: m == FLOOR)
    found = []
    for method in order:
        own = rows[rows["method"] == method].dropna(subset=["score"])
        if len(own) < 2:
            continue
        variances = components(own["training"], own["draw"], own["score"])
        if not vary:  # a draw is a run
            variances |= {
                "run": variances["forget set and run"],
                "forget set": math.nan,
                "forget set and run": math.nan,
            }
        deviations = {axis: math.sqrt(v) if math.isfinite(v) else math.nan for axis, v in variances.items()}
        found.append({"method": method, **deviations, "trainings": own["training"].nunique(), "n": len(own)})
    return pd.DataFrame(found)


def components(training: pd.Series[int], draw: pd.Series[int], values: pd.Series[float]) -> dict[str, float]:
    """Variance components of values nested as run in forget set in training, by moments; NaN where not known, never negative.

    Means of means are taken without weights: with equally many of each it is the analysis of variance.
    """
    runs = pd.DataFrame({"training": training, "draw": draw, "value": values}).groupby(["training", "draw"])["value"]
    repeated = runs.var()[runs.count() > 1]
    within = float(repeated.mean()) if len(repeated) else math.nan
    sets = runs.mean().groupby("training")
    between = sets.var()
    sets_variance = float(between.mean()) if between.notna().any() else math.nan
    trainings = sets.mean()
    top = float(trainings.var()) if len(trainings) > 1 else math.nan
    share_of_runs = float((1 / runs.count()).mean())
    share_of_sets = float((1 / sets.count()).mean())
    known = math.isfinite(within)
    return {
        "training": _rest(top, sets_variance * share_of_sets if math.isfinite(sets_variance) else 0.0),
        "forget set": _rest(sets_variance, within * share_of_runs) if known else math.nan,
        "run": within,
        "forget set and run": math.nan if known else sets_variance,
    }


def _rest(total: float, part: float) -> float:
    return float(np.maximum(total - part, 0.0))

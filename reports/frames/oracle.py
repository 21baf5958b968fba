"""The oracle's own values, for the reference lines of figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.frames._base import EPOCH, evaluations, iterate, stage_trials
from reports.names import measures
from sweeps.record import SweepRecord

__all__ = ["evaluation_curves", "oracle_values"]

_TOLERANCE = 1e-6


def evaluation_curves(record: SweepRecord, scenario: str, size: int | None) -> pd.DataFrame:
    """Curves of the completed evaluation trials at one forget size, with the forget set of each."""
    trials = evaluations(record, scenario)
    if not len(trials) or not len(record.curves):
        return pd.DataFrame(columns=[*record.curves.columns, "forget_seed", "seed"])
    trials = trials.loc[trials["forget_size"] == size, ["study", "number", "forget_seed", "seed"]]
    return record.curves.merge(trials, on=["study", "number"])


def oracle_values(record: SweepRecord, scenario: str, size: int | None, metric: str) -> pd.Series[float]:
    """The oracle's value of a raw metric, by forget set; only forget sets for which it is known.

    Where the oracle's own trial does not hold the metric, its value follows from the others: a model's value and its absolute
    gap leave two candidates, value ± gap, and the one that fits every epoch of every method on the same forget set (and is a
    percentage, where the metric is one) is the oracle's.
    """
    gap = measures(record).gap_name(metric)
    trials = evaluations(record, scenario)
    trials = trials[trials["forget_size"] == size].rename(columns={f"{EPOCH}{m}": m for m in (metric, gap)})
    columns = ["forget_seed", metric, gap]
    sources = [frame.reindex(columns=columns) for frame in (trials, evaluation_curves(record, scenario, size))]
    known = pd.concat([s for s in sources if len(s)] or sources[:1]).dropna()
    stored = _stored(record, scenario, size, metric)
    stored = {seed: value for seed, value in stored.items() if seed in set(trials["forget_seed"])}
    found: dict[object, float] = {}
    for seed, rows in known.groupby("forget_seed"):
        value, distance = rows[metric].to_numpy(float), rows[gap].to_numpy(float)
        candidates = np.unique(np.round([value[0] - distance[0], value[0] + distance[0]], 9))
        if measures(record).label(metric).unit == "%":
            candidates = candidates[(candidates >= 0) & (candidates <= 100)]
        fits = [c for c in candidates if np.max(np.abs(np.abs(value - c) - distance)) < _TOLERANCE]
        if len(fits) == 1:
            found[seed] = float(fits[0])
    return pd.Series(found | stored, dtype=float, name=metric).sort_index()


def _stored(record: SweepRecord, scenario: str, size: int | None, metric: str) -> dict[object, float]:
    """What the oracles' own trials say, by forget set."""
    rows = stage_trials(record, "reference", scenario, "COMPLETE")
    column = f"{EPOCH}{metric}"
    if not len(rows) or column not in rows:
        return {}
    rows = rows[(rows["method"] == "oracle") & (rows["forget_size"] == size) & (rows["scored_on"] == "test")]
    return {r.forget_seed: float(r.value) for r in iterate(rows.assign(value=rows[column]).dropna(subset=["value"]))}

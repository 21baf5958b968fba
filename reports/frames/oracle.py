"""The oracle's own values, for the reference lines of figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reports.frames._base import BASELINES, EPOCH, evaluations, stage_trials
from reports.names import measures
from sweeps.record import UNIT_LEVELS, SweepRecord

__all__ = ["evaluation_curves", "oracle_values"]

_TOLERANCE = 1e-6
#: What has an oracle, or several, of its own.
_SETS = ["training", "forget_seed"]


def evaluation_curves(record: SweepRecord, scenario: str, size: int | None) -> pd.DataFrame:
    """Curves of the completed evaluation trials at one forget size, with the forget set of each."""
    trials = evaluations(record, scenario)
    if not len(trials) or not len(record.curves):
        return pd.DataFrame(columns=[*record.curves.columns, *UNIT_LEVELS, "forget_seed"])
    trials = trials.loc[trials["forget_size"] == size, ["study", "number", *UNIT_LEVELS, "forget_seed"]]
    return record.curves.merge(trials, on=["study", "number"])


def oracle_values(record: SweepRecord, scenario: str, size: int | None, metric: str) -> pd.Series[float]:
    """The oracle's value of a raw metric, by training and forget set's seed; of all forget sets that methods have values on.

    Of several oracles it is their mean, as gaps are to that. Where the oracle's own trial does not hold the metric, its value
    follows from the others: a model's value and its absolute gap leave two candidates, value ± gap, and the one that fits every
    epoch of every method and baseline on the same forget set (and is a percentage, where the metric is one) is the oracle's.

    Empty where it is not known of one of them: the candidates agree where a method is at the oracle's value, and a mean over
    forget sets chosen by that would be no oracle's.
    """
    gap = measures(record).gap_name(metric)
    trials, baselines = (
        rows[rows["forget_size"] == size].rename(columns={f"{EPOCH}{m}": m for m in (metric, gap)})
        for rows in (
            evaluations(record, scenario),
            pd.concat([evaluations(record, scenario, baseline) for baseline in BASELINES]),
        )
    )
    columns = [*_SETS, metric, gap]
    measured = [frame.reindex(columns=columns) for frame in (trials, evaluation_curves(record, scenario, size))]
    asked = {
        key for frame in measured for key in frame.dropna(subset=[metric])[_SETS].itertuples(index=False, name=None)
    }
    sources = [s for s in (*measured, baselines.reindex(columns=columns)) if len(s)]
    known = pd.concat(sources or measured[:1]).dropna()
    stored = _stored(record, scenario, size, metric)
    found: dict[Any, float] = {}
    for key, rows in known.groupby(_SETS):
        value, distance = rows[metric].to_numpy(float), rows[gap].to_numpy(float)
        candidates = np.unique(np.round([value[0] - distance[0], value[0] + distance[0]], 9))
        if measures(record).label(metric).unit == "%":
            candidates = candidates[(candidates >= 0) & (candidates <= 100)]
        fits = [c for c in candidates if np.max(np.abs(np.abs(value - c) - distance)) < _TOLERANCE]
        if len(fits) == 1:
            found[key] = float(fits[0])
    every = found | stored
    values = {key: every[key] for key in asked if key in every} if asked <= every.keys() else {}
    index = pd.MultiIndex.from_tuples(list(values), names=_SETS) if values else None
    return pd.Series(list(values.values()), index=index, dtype=float, name=metric).sort_index()


def _stored(record: SweepRecord, scenario: str, size: int | None, metric: str) -> dict[Any, float]:
    """What the oracles' own trials say, by training and forget set's seed."""
    rows = stage_trials(record, "reference", scenario, "COMPLETE")
    column = f"{EPOCH}{metric}"
    if not len(rows) or column not in rows:
        return {}
    sized = (rows["forget_size"] == size) | rows["forget_size"].isna()  # of a scenario that fixes its size none is kept
    rows = rows[(rows["method"] == "oracle") & sized & (rows["scored_on"] == "test")]
    training = rows["training"].astype(float).fillna(0).astype(int) if "training" in rows else 0
    known = rows.assign(value=rows[column].astype(float), training=training).dropna(subset=["value"])
    return dict(known.groupby(_SETS)["value"].mean().items())

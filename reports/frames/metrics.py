"""Evaluation metrics per method and forget size: mean ± std over forget sets, with the comparison against the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from reports.frames._base import evaluations
from reports.frames.statistics import summarise
from sweeps.record import UNIT_LEVELS, SweepRecord, compare, metric_rounding, once

__all__ = ["baseline_summary", "metric_summary", "metric_values"]

#: Which epoch's metrics: at the one that counts, at the best one in hindsight, or the mean of the five best in hindsight.
Epochs = Literal["metric", "hindsight", "top5"]
COLUMNS = ["scenario", "forget_size", "method", "metric", "mean", "std", "n", "best", "tied", "p", "pairs"]
_KEYS = ["forget_size", *UNIT_LEVELS, "method"]
_UNCOMPARED = {"best": False, "tied": False, "p": float("nan"), "pairs": 0}


def metric_summary(
    record: SweepRecord,
    scenario: str,
    metrics: Sequence[str],
    epochs: Epochs = "metric",
    compared: bool = True,
) -> pd.DataFrame:
    """Long table, one row per forget size, method and metric: mean, std, n, best, tied, p, pairs.

    `score` among the metrics is the objective's score. `epochs` picks the epoch that counts, the best one in hindsight, or
    the mean of the five best.
    `compared=False` makes no comparison, for metrics of which less is not better or where only mean and std are asked for:
    `best` and `tied` are false, `p` NaN and `pairs` 0.
    """
    found = [own for m in metrics if len(own := _summary(record, scenario, m, epochs, compared))]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(found).sort_values("forget_size", ascending=False, kind="stable", ignore_index=True)


@once
def _summary(record: SweepRecord, scenario: str, metric: str, epochs: Epochs, compared: bool) -> pd.DataFrame:
    """The rows of one metric, which several tables and figures show."""
    rows = evaluations(record, scenario)
    values = _values(rows, [metric], epochs)
    columns = values.columns[len(_KEYS) :]
    if not len(columns):
        return pd.DataFrame(columns=COLUMNS)
    out = summarise(values, ["forget_size", "method"], list(columns)).query("n > 0")
    if compared:
        roundings = {size: metric_rounding(record, own, metric) for size, own in rows.groupby("forget_size")}
        out = out.merge(_verdicts(values, metric, roundings), on=["forget_size", "method"], how="left")
    else:
        out = out.assign(**_UNCOMPARED)
    return out.assign(scenario=scenario, forget_size=out["forget_size"].astype(int))[COLUMNS]


def baseline_summary(record: SweepRecord, scenario: str, baseline: str, metrics: Sequence[str]) -> pd.DataFrame:
    """The same table of a baseline (`BASELINES`): never best, never tied."""
    values = _values(evaluations(record, scenario, baseline), metrics, "metric")
    out = summarise(values, ["forget_size", "method"], list(values.columns[len(_KEYS) :])).query("n > 0")
    out = out.assign(scenario=scenario, **_UNCOMPARED)
    out = out.assign(forget_size=out["forget_size"].astype(int))
    return out.sort_values("forget_size", ascending=False, kind="stable", ignore_index=True)[COLUMNS]


def metric_values(
    record: SweepRecord, scenario: str, metrics: Sequence[str], baseline: str | None = None
) -> pd.DataFrame:
    """The runs behind the means, at the epoch that counts: forget_size, method, metric, value; of methods or of a baseline."""
    values = run_values(record, scenario, metrics, baseline)
    known = list(values.columns[len(_KEYS) :])
    return values.melt(["forget_size", "method"], known, "metric", "value").dropna(subset=["value"])


def run_values(record: SweepRecord, scenario: str, metrics: Sequence[str], baseline: str | None = None) -> pd.DataFrame:
    """The same, one row a run and one column a metric that any run has, after forget_size, method and what tells runs apart."""
    return _values(evaluations(record, scenario, baseline), metrics, "metric")


def _verdicts(values: pd.DataFrame, metric: str, roundings: Mapping[Any, float]) -> pd.DataFrame:
    """What `compare` says of every forget size, one row per method; with what rounding gives at each."""
    verdicts = []
    for size, group in values.groupby("forget_size"):
        samples = group.pivot(index=list(UNIT_LEVELS), columns="method", values=metric)
        verdicts.append(compare(samples, roundings[size]).reset_index().assign(forget_size=size))
    return pd.concat(verdicts, ignore_index=True)


def _values(rows: pd.DataFrame, metrics: Sequence[str], epochs: str) -> pd.DataFrame:
    """What tells a run apart, in the columns of `_KEYS`, and one column per metric that any run has."""
    score = "hindsight_score" if epochs == "hindsight" else "score"
    columns = {m: score if m == "score" else f"{epochs}.{m}" for m in metrics}
    columns = {m: c for m, c in columns.items() if c in rows and rows[c].notna().any()}
    return rows[_KEYS].assign(**{m: rows[c].astype(float) for m, c in columns.items()})

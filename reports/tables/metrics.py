"""Evaluation metrics per method and forget size: mean ± std over forget sets, with the comparison against the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from reports.tables._base import evaluations
from reports.tables.statistics import compare, summarise
from sweeps.store import SweepRecord

__all__ = ["metric_summary"]

COLUMNS = ["scenario", "forget_size", "method", "metric", "mean", "std", "n", "best", "tied", "p", "pairs"]


def metric_summary(
    record: SweepRecord,
    scenario: str,
    metrics: Sequence[str],
    epochs: Literal["best", "top5"] = "best",
    compared: bool = True,
) -> pd.DataFrame:
    """Long table, one row per forget size, method and metric: mean, std, n, best, tied, p, pairs.

    `score` among the metrics is the objective's score. `epochs` picks the best epoch or the mean of the five best.
    `compared=False` leaves `best` and `tied` false, for metrics of which less is not better.
    """
    rows = evaluations(record, scenario)
    columns = {m: m if m == "score" else f"{epochs}.{m}" for m in metrics}
    columns = {m: c for m, c in columns.items() if c in rows and rows[c].notna().any()}
    if not len(rows) or not columns:
        return pd.DataFrame(columns=COLUMNS)
    values = rows[["forget_size", "forget_seed", "seed", "method"]].assign(
        **{m: rows[c].astype(float) for m, c in columns.items()}
    )
    out = summarise(values, ["forget_size", "method"], list(columns)).query("n > 0")
    verdicts = []
    for size, group in values.groupby("forget_size"):
        for m in columns:
            samples = group.pivot(index=["forget_seed", "seed"], columns="method", values=m)
            verdict = compare(samples).reset_index().assign(forget_size=size, metric=m)
            verdicts.append(verdict)
    out = out.merge(pd.concat(verdicts, ignore_index=True), on=["forget_size", "method", "metric"], how="left")
    if not compared:
        out = out.assign(best=False, tied=False, p=float("nan"))
    out = out.assign(scenario=scenario, forget_size=out["forget_size"].astype(int))
    return out.sort_values("forget_size", ascending=False, kind="stable", ignore_index=True)[COLUMNS]

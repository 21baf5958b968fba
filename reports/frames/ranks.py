"""Mean ranks of methods over forget sets, with the Friedman test and Nemenyi's critical difference (Demšar, 2006)."""

from __future__ import annotations

import math

import pandas as pd
from scipy import stats

from reports.frames._base import evaluations
from sweeps.record import LEVEL, UNIT_LEVELS, SweepRecord

__all__ = ["critical_difference", "mean_ranks"]


def mean_ranks(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """Per method, best first: `rank`, the mean rank of its score (1 is best, equal scores share) over `blocks`.

    A block is a forget set of the size that methods are compared at (of several trainings, each training's mean; where there is
    one forget set, a run) on which every method listed was evaluated; methods without any evaluation are left out. `friedman`
    is the p-value that all methods rank alike (NaN below three methods or two blocks), `critical` the difference of mean
    ranks that Nemenyi's test needs at the 5 % level (NaN below three methods: two that are equal differ by more on four blocks in
    an eighth of cases). Empty below two methods.
    """
    rows = evaluations(record, scenario)
    columns = ["method", "rank", "blocks", "friedman", "critical"]
    rows = rows[rows["forget_size"] == record.shown_size(scenario)]
    level = "training" if rows["training"].nunique() > 1 else "draw"
    runs = rows.pivot(index=list(UNIT_LEVELS), columns="method", values="score").dropna()
    scores = runs.groupby(level).mean()
    blocks, methods = scores.shape
    if methods < 2 or blocks < 1:
        return pd.DataFrame(columns=columns)
    ranks = scores.rank(axis=1).mean().sort_values(kind="stable")
    alike = bool((scores.nunique(axis=1) == 1).all())
    friedman = float("nan")
    if methods > 2 and blocks > 1 and not alike:
        friedman = float(stats.friedmanchisquare(*(scores[m] for m in scores)).pvalue)
    out = pd.DataFrame({"method": ranks.index, "rank": ranks.to_numpy(), "blocks": blocks, "friedman": friedman})
    return out.assign(critical=critical_difference(methods, blocks) if methods > 2 else float("nan"))[columns]


def critical_difference(methods: int, blocks: int) -> float:
    """Nemenyi: q · √(k(k+1) / 6N), with q the studentised range for k methods at the 5 % level, divided by √2."""
    q = float(stats.studentized_range.ppf(1 - LEVEL, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * blocks))

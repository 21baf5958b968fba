"""Mean ± std over forget sets, the best of several methods, and which are not distinguishable from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

__all__ = ["LEAST_PAIRS", "LEVEL", "TEST", "compare", "holm", "paired_p", "summarise"]

LEVEL = 0.05
#: Below so many forget sets that two methods share, nothing is told apart: two equal differences would be proof enough.
LEAST_PAIRS = 3

#: How the comparison is made, to be printed wherever its result is.
TEST = (
    "Lower is better. Bold: the least mean. ≈: not distinguishable from it at the 5 % level by a two-sided paired t-test over "
    "the forget sets that both methods share, Holm-corrected over the methods compared "
    "(with fewer than six forget sets a Wilcoxon test could never reach 5 %; with fewer than three, nothing can be told apart)."
)


def summarise(frame: pd.DataFrame, by: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """Long table: `by`, `metric`, `mean`, `std` (n − 1; NaN where n = 1), `n`. NaNs do not count."""
    parts = []
    for value in values:
        grouped = frame.groupby(list(by), sort=False, dropna=False)[value]
        part = grouped.agg(mean="mean", std="std", n="count").reset_index()
        parts.append(part.assign(metric=value))
    columns = [*by, "metric", "mean", "std", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def paired_p(differences: npt.ArrayLike) -> float:
    """Two-sided p of the paired t-test on differences; NaN below two pairs, 1 where all are zero."""
    d = np.asarray(differences, dtype=float)
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return float("nan")
    spread = d.std(ddof=1)
    if spread <= 1e-12 * max(1.0, abs(d.mean())):
        return 1.0 if abs(d.mean()) < 1e-12 else 0.0
    t = d.mean() / (spread / np.sqrt(len(d)))
    return float(2 * stats.t.sf(abs(t), len(d) - 1))


def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Holm's step-down adjustment of p-values; NaNs stay NaN and do not count."""
    raw = np.asarray(p, dtype=float)
    adjusted = np.full(len(raw), np.nan)
    known = np.flatnonzero(np.isfinite(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, raw[i] * (len(order) - rank)))
        adjusted[i] = running
    return adjusted


def compare(samples: pd.DataFrame) -> pd.DataFrame:
    """Which methods are best, and which are not distinguishable from the best.

    Args:
        samples: one column per method, one row per forget set; lower is better; NaN where a method has no result.

    Returns:
        Indexed by method: `best` (least mean; several where means are equal; none where there is no rival), `tied` (others not
        distinguishable from it), `p` (Holm-adjusted, against the best, of several the first by name; NaN below three pairs),
        `pairs`. One that is better on the forget sets that both share, and has the greater mean for others alone, is tied
        whatever its p.
    """
    means = samples.mean()
    out = pd.DataFrame({"best": False, "tied": False, "p": np.nan, "pairs": 0}, index=samples.columns)
    if means.notna().sum() < 2:
        return out
    out["best"] = np.isclose(means, means.min(), rtol=0, atol=1e-9)
    first = min(out.index[out["best"]])
    others = [m for m in samples.columns if m != first and pd.notna(means[m])]
    differences = {m: (samples[m] - samples[first]).dropna() for m in others}
    out.loc[others, "pairs"] = [len(differences[m]) for m in others]
    p = [paired_p(differences[m]) if len(differences[m]) >= LEAST_PAIRS else np.nan for m in others]
    out.loc[others, "p"] = holm(p)
    worse = np.array([differences[m].mean() > 0 for m in others])
    out.loc[others, "tied"] = ~((out.loc[others, "p"] < LEVEL) & worse) & ~out.loc[others, "best"]
    return out

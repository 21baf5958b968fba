"""Mean ± std over forget sets."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

__all__ = ["summarise"]


def summarise(frame: pd.DataFrame, by: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """Long table: `by`, `metric`, `mean`, `std` (n − 1; NaN where n = 1), `n`. NaNs do not count."""
    parts = []
    for value in values:
        grouped = frame.groupby(list(by), sort=False, dropna=False)[value]
        part = grouped.agg(mean="mean", std="std", n="count").reset_index()
        parts.append(part.assign(metric=value))
    columns = [*by, "metric", "mean", "std", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

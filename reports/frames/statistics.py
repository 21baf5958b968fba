"""Mean ± std over forget sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["summarise"]


def summarise(frame: pd.DataFrame, by: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """Long table: `by`, `metric`, `mean`, `std` (n − 1; NaN where n = 1), `n`. NaNs do not count."""
    if not values:
        return pd.DataFrame(columns=[*by, "metric", "mean", "std", "n"])
    grouped = frame.groupby(list(by), sort=False, dropna=False)[list(values)]
    mean = grouped.mean()
    groups = mean.index.to_frame(index=False)
    return pd.concat([groups] * len(values), ignore_index=True).assign(
        metric=np.repeat(list(values), len(groups)),
        **{
            name: found.to_numpy().ravel("F")
            for name, found in (("mean", mean), ("std", grouped.std()), ("n", grouped.count()))
        },
    )

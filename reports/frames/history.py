"""The course of every search: each trial's score and the best so far."""

from __future__ import annotations

import pandas as pd

from reports.frames._base import stage_trials
from sweeps.record import SweepRecord

__all__ = ["search_history"]


def search_history(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """One row per search trial: method, number, state, value, best_so_far (of completed trials only), fail_reason."""
    rows = stage_trials(record, "search", scenario)
    columns = ["method", "number", "state", "value", "fail_reason"]
    if not len(rows):
        return pd.DataFrame(columns=[*columns, "best_so_far"])
    rows = rows[columns].sort_values(["method", "number"], ignore_index=True)
    completed = rows["value"].astype(float).where(rows["state"] == "COMPLETE")
    best = completed.groupby(rows["method"]).cummin()
    return rows.assign(best_so_far=best.groupby(rows["method"]).ffill())

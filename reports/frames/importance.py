"""How much each hyperparameter decides a search's score."""

from __future__ import annotations

import pandas as pd

from reports.frames._base import methods, stage_trials
from sweeps.record import SweepRecord

__all__ = ["importances"]

COLUMNS = ["method", "hyperparameter", "share", "trials"]


def importances(record: SweepRecord, scenario: str) -> pd.DataFrame:
    """One row per method and searched hyperparameter: its share (a method's add up to 1) and the completed trials behind it.

    Methods without known shares are left out: they searched nothing, or too few of their trials are complete.
    """
    known = record.importances.get(scenario, {})
    complete = stage_trials(record, "search", scenario, "COMPLETE")
    counts = complete["method"].value_counts() if len(complete) else pd.Series(dtype=int)
    rows = [
        (method, name, share, int(counts.get(method, 0)))
        for method in methods(record, scenario)
        for name, share in (known.get(method) or {}).items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)

"""A sweep's trials and epochs as DataFrames, for one's own notebook."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sweeps.record import find_sweep

__all__ = ["load_curves", "load_trials"]


def load_trials(where: str | Path, *, sweep: str | None = None, storage: str | None = None) -> pd.DataFrame:
    """One row per trial that counts, of every stage.

    Columns: `stage`, `scenario`, `method`, `number`, `state`, `value`, `forget_size`, `forget_seed`, `seconds` and other facts;
    `hp.<hyperparameter>` in true units; `metric.<metric>` at the epoch that counts, `hindsight.<metric>` at the one of the least
    score, and `top5.<metric>`, the mean over the five least (docs/python.md has all).

    Args:
        where: a sweep's name (under `runs/`), its folder, or the URL of its storage.
        sweep: its name, where a storage holds several.
        storage: URL, where the folder cannot tell it because it has a password.

    Raises:
        SweepError: there is no such sweep.
    """
    return find_sweep(where, sweep=sweep, storage=storage).counted.reset_index(drop=True)


def load_curves(where: str | Path, *, sweep: str | None = None, storage: str | None = None) -> pd.DataFrame:
    """One row per epoch of the trials that `load_trials` gives; arguments as there.

    Columns: `study`, `stage`, `scenario`, `method`, `number`, `epoch`, `score` and every metric.
    """
    record = find_sweep(where, sweep=sweep, storage=storage)
    return record.curves.merge(record.counted[["study", "number"]], on=["study", "number"])

"""A sweep's storage as tidy tables: the only thing that reports read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class SweepRecord:
    """Everything a storage says about one sweep.

    Attributes:
        name: of the sweep.
        spec: the resolved sweep file as plain data.
        provenance: versions, commit, device and times.
        planned: trials planned, by (stage, scenario, method).
        trials: one row per trial: study, stage, scenario, method, number, state, value, best_epoch, fail_reason, retry_of,
            started, completed, seconds, forget_size, forget_seed, seed, scored_on, `hp.<hyperparameter>`,
            `best.<metric>` (at the best epoch) and `top5.<metric>` (mean over the five best epochs).
        curves: one row per trial and epoch: study, stage, scenario, method, number, epoch, score and every metric.
        best: hyperparameters of each search's best trial, {scenario: {method: {name: value}}}.
    """

    name: str
    spec: dict[str, Any]
    provenance: dict[str, Any]
    planned: dict[tuple[str, str, str], int]
    trials: pd.DataFrame
    curves: pd.DataFrame
    best: dict[str, dict[str, dict[str, Any]]]

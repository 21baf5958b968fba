"""What every table asks of a sweep's record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from reports.names import measures
from sweeps.record import BASELINES, FLOOR, UNTOUCHED, SweepRecord, evaluations, once

__all__ = [
    "BASELINES",
    "EPOCH",
    "FLOOR",
    "UNTOUCHED",
    "evaluations",
    "gap_metrics",
    "iterate",
    "methods",
    "metrics_of",
    "scenarios",
    "size_label",
    "stage_trials",
    "tuning_label",
]

#: Prefix of the columns that hold metrics at the epoch that counts.
EPOCH = "metric."


def scenarios(record: SweepRecord) -> list[str]:
    """Scenarios in the order of the spec, then any others that the storage holds."""
    named = [*record.spec.get("scenarios", {}), *(scenario for _, scenario, _ in record.planned)]
    trials = record.trials
    stored = list(trials.loc[trials["stage"] != "reference", "scenario"]) if len(trials) else []
    return list(dict.fromkeys([*named, *stored]))


def methods(record: SweepRecord, scenario: str | None = None) -> list[str]:
    """Methods in the order of the spec, then any others planned or stored; of one scenario or of all."""
    spec = list(record.spec.get("methods") or [])
    planned = [m for _, s, m in record.planned if scenario in (None, s)]
    stored: list[str] = []
    if len(record.trials):
        rows = record.trials if scenario is None else record.trials[record.trials["scenario"] == scenario]
        stored = list(rows.loc[rows["stage"] != "reference", "method"])
    return [m for m in dict.fromkeys([*spec, *planned, *stored]) if m not in BASELINES]


@once
def stage_trials(
    record: SweepRecord, stage: str, scenario: str | None = None, state: str | None = None
) -> pd.DataFrame:
    """The trials of one stage that count, of one scenario or of all, in one state or in any."""
    rows = record.counted
    rows = rows[rows["stage"] == stage] if len(rows) else rows
    if scenario is not None and len(rows):
        rows = rows[rows["scenario"] == scenario]
    if state is not None and len(rows):
        rows = rows[rows["state"] == state]
    return rows


def metrics_of(frame: pd.DataFrame, prefix: str = EPOCH) -> list[str]:
    """Metrics that a frame of trials holds at least one value of."""
    return [c.removeprefix(prefix) for c in frame.columns if c.startswith(prefix) and frame[c].notna().any()]


def gap_metrics(record: SweepRecord, frame: pd.DataFrame) -> list[str]:
    """The gaps to the oracle that these trials hold, in the paper's order: UA, utility, RA, CTA, attacks, others."""
    return measures(record).gaps(metrics_of(frame)) if len(frame) else []


def size_label(record: SweepRecord, scenario: str) -> str:
    """ "forget size 50", with the size tuned at where that is another."""
    shown, tuned = record.shown_size(scenario), record.tuned_size(scenario)
    if shown is None:
        return "all that the scenario forgets"
    return f"forget size {shown}" + (f", tuned at {tuned}" if tuned not in (None, shown) else "")


def tuning_label(record: SweepRecord, scenario: str) -> str:
    """Where the hyperparameters come from, as far as one phrase can say it for every method."""
    tuned = record.tuned_size(scenario)
    return "hyperparameters as given" if tuned is None else f"hyperparameters tuned at {tuned}"


def iterate(frame: pd.DataFrame) -> Iterable[Any]:
    """The frame's rows as named tuples, of columns whose types the type checker cannot know."""
    return frame.itertuples(index=False)

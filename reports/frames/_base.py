"""What every table asks of a sweep's record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from sweeps.record import SweepRecord

__all__ = [
    "FLOOR",
    "evaluations",
    "gap_metrics",
    "iterate",
    "methods",
    "metrics_of",
    "scenarios",
    "stage_trials",
    "tuned_size",
]

ACCURACY_GAPS = ("forget_gap", "utility_gap", "retain_gap", "class_test_gap")
_FIRST = (*ACCURACY_GAPS, "mia_loss_gap", "mia_confidence_gap", "mia_knn_forget_gap", "mia_knn_train_gap")
_REFERENCES = ("oracle", "original")

#: The method that retrains the oracle with another seed: its gaps are the noise floor; it is no rival and never ranked.
FLOOR = "oracle"


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
    return [m for m in dict.fromkeys([*spec, *planned, *stored]) if m not in _REFERENCES]


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


def metrics_of(frame: pd.DataFrame, prefix: str = "metric.") -> list[str]:
    """Metrics that a frame of trials holds at least one value of."""
    return [c.removeprefix(prefix) for c in frame.columns if c.startswith(prefix) and frame[c].notna().any()]


def gap_metrics(frame: pd.DataFrame) -> list[str]:
    """The gaps to the oracle that these trials hold, in the paper's order: UA, utility, RA, CTA, attacks, others.

    Gaps of errors are left out: they are the gaps of accuracies once more, or have a table of their own (confusion).
    """
    known = set(metrics_of(frame))
    others = sorted(m for m in known - set(_FIRST) if m.endswith("_gap") and "error" not in m and m != "average_gap")
    return [m for m in _FIRST if m in known] + others


def evaluations(record: SweepRecord, scenario: str, *, floor: bool = False) -> pd.DataFrame:
    """Completed evaluation trials with a `score` column, one per method, forget size, forget set and seed.

    Of the methods that compete; with `floor`, of the retrained oracle instead.

    The score is the trial's value; where it has none (a search of two directions), the mean of its gaps.
    """
    rows = stage_trials(record, "evaluation", scenario, "COMPLETE")
    rows = rows[(rows["method"] == FLOOR) == floor] if len(rows) else rows
    if not len(rows):
        return pd.DataFrame(columns=["study", "method", "number", "forget_size", "forget_seed", "seed", "score"])
    keys = ["method", "forget_size", "forget_seed", "seed"]
    rows = rows.sort_values("number").drop_duplicates(keys, keep="last")
    gaps = [f"metric.{m}" for m in gap_metrics(rows)]
    score = rows["value"].astype(float)
    return rows.assign(score=score.fillna(rows[gaps].mean(axis=1)) if gaps else score)


def tuned_size(record: SweepRecord, scenario: str) -> int | None:
    """The forget size that the hyperparameters were tuned at; where it was not evaluated, the largest size that was."""
    size = (record.spec.get("scenarios", {}).get(scenario) or {}).get("tune_size")
    sizes = [int(s) for s in evaluations(record, scenario)["forget_size"].dropna().unique()]
    if sizes and size not in sizes:
        return max(sizes)
    return None if size is None else int(size)


def iterate(frame: pd.DataFrame) -> Iterable[Any]:
    """The frame's rows as named tuples, of columns whose types the type checker cannot know."""
    return frame.itertuples(index=False)

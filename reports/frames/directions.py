"""The two sides of unlearning: how much utility a trial lost, and how far it is from having forgotten."""

from __future__ import annotations

import pandas as pd

from reports.frames._base import EPOCH, gap_metrics
from reports.names import measures
from sweeps.record import SweepRecord
from unlearn.gaps import Side
from unlearn.gaps import pareto_front as front_of

__all__ = ["directions", "pareto_front", "sides", "sides_of_every_epoch"]

COLUMNS = ["method", "number", "forget_size", "utility", "forgetting"]


def sides(record: SweepRecord, known: list[str]) -> dict[Side, list[str]]:
    """The gaps among those named that count towards utility and towards forgetting."""
    facts = measures(record)
    kinds: tuple[Side, Side] = ("utility", "forgetting")
    return {side: [gap for gap in facts.side(side) if gap in known] for side in kinds}


def sides_of_every_epoch(record: SweepRecord, trials: pd.DataFrame) -> dict[Side, list[str]]:
    """Those of them that are measured at every epoch: what a search of two directions minimises."""
    curves = record.curves
    measured = [m for m in gap_metrics(record, trials) if m in curves and curves[m].notna().any()]
    return sides(record, measured)


def directions(record: SweepRecord, trials: pd.DataFrame) -> pd.DataFrame:
    """Trials that hold both sides, with `utility` and `forgetting`: the means of the gaps present on each side.

    As the objective `pareto` has it: gaps that are measured at the chosen epoch alone (costly ones) do not enter.
    """
    columns = {s: [f"{EPOCH}{m}" for m in gaps] for s, gaps in sides_of_every_epoch(record, trials).items()}
    if not all(columns.values()):
        return pd.DataFrame(columns=COLUMNS)
    means = {side: trials[names].mean(axis=1) for side, names in columns.items()}
    return trials[COLUMNS[:3]].assign(**means).dropna(subset=["utility", "forgetting"])


def pareto_front(points: pd.DataFrame) -> pd.DataFrame:
    """The rows that no other row betters in both `forgetting` and `utility`, by rising `forgetting`; equal rows all stay."""
    front = points.iloc[front_of(points[["forgetting", "utility"]].to_numpy(float).tolist())]
    return front.sort_values(["forgetting", "utility"], kind="stable")

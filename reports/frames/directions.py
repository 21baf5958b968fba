"""The two sides of unlearning: how much utility a trial lost, and how far it is from having forgotten."""

from __future__ import annotations

import pandas as pd

from reports.frames._base import gap_metrics

__all__ = ["FORGETTING", "UTILITY", "directions", "pareto_front"]

UTILITY = ("retain_gap", "utility_gap")
FORGETTING = (
    "forget_gap",
    "class_test_gap",
    "mia_loss_gap",
    "mia_confidence_gap",
    "mia_knn_forget_gap",
    "mia_knn_train_gap",
)


def directions(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials that hold both sides, with `utility` and `forgetting`: the means of the gaps present on each side."""
    known = gap_metrics(trials) if len(trials) else []
    utility = [f"metric.{m}" for m in UTILITY if m in known]
    forgetting = [f"metric.{m}" for m in FORGETTING if m in known]
    if not utility or not forgetting:
        return pd.DataFrame(columns=["method", "number", "forget_size", "utility", "forgetting"])
    sides = {"utility": trials[utility].mean(axis=1), "forgetting": trials[forgetting].mean(axis=1)}
    out = trials[["method", "number", "forget_size"]].assign(**sides)
    return out.dropna(subset=["utility", "forgetting"])


def pareto_front(points: pd.DataFrame) -> pd.DataFrame:
    """The rows that no other row betters in both `forgetting` and `utility`, by rising `forgetting`."""
    ordered = points.sort_values(["forgetting", "utility"], kind="stable")
    before = ordered["utility"].cummin().shift(fill_value=float("inf"))
    return ordered[ordered["utility"] < before]

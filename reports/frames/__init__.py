"""Tables: a sweep's record in, a DataFrame out; nothing is drawn or rounded here."""

from reports.frames._base import (
    FLOOR,
    evaluations,
    gap_metrics,
    iterate,
    methods,
    metrics_of,
    scenarios,
    stage_trials,
    tuned_size,
)
from reports.frames.directions import FORGETTING, UTILITY, directions, pareto_front
from reports.frames.history import search_history
from reports.frames.hyperparameters import best_hyperparameters
from reports.frames.importance import importances
from reports.frames.metrics import floor_summary, metric_summary
from reports.frames.oracle import evaluation_curves, oracle_values
from reports.frames.outcomes import STAGES, Winner, failures, optimism, progress, winner
from reports.frames.ranks import critical_difference, mean_ranks
from reports.frames.sensitivity import sensitivity, sensitivity_grid, sensitivity_summary
from reports.frames.statistics import TEST, compare, summarise

__all__ = [
    "FLOOR",
    "FORGETTING",
    "STAGES",
    "TEST",
    "UTILITY",
    "Winner",
    "best_hyperparameters",
    "compare",
    "critical_difference",
    "directions",
    "evaluation_curves",
    "evaluations",
    "failures",
    "floor_summary",
    "gap_metrics",
    "importances",
    "iterate",
    "mean_ranks",
    "methods",
    "metric_summary",
    "metrics_of",
    "optimism",
    "oracle_values",
    "pareto_front",
    "progress",
    "scenarios",
    "search_history",
    "sensitivity",
    "sensitivity_grid",
    "sensitivity_summary",
    "stage_trials",
    "summarise",
    "tuned_size",
    "winner",
]

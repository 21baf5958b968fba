"""Tables: a sweep's record in, a DataFrame out; nothing is drawn or rounded here."""

from reports.frames._base import (
    BASELINES,
    EPOCH,
    FLOOR,
    UNTOUCHED,
    evaluations,
    gap_metrics,
    iterate,
    methods,
    metrics_of,
    scenarios,
    size_label,
    stage_trials,
    tuning_label,
)
from reports.frames.directions import directions, pareto_front, sides, sides_of_every_epoch
from reports.frames.epochs import (
    cost_of_not_knowing,
    epoch_convention,
    epoch_of,
    hindsight_gaps,
    measured_gaps,
    on_one_draw,
    own_rule,
    score_definition,
    score_gaps,
    winner_of,
)
from reports.frames.history import search_history
from reports.frames.hyperparameters import best_hyperparameters, edges
from reports.frames.importance import importances
from reports.frames.metrics import Epochs, baseline_summary, metric_summary, metric_values, run_values
from reports.frames.oracle import evaluation_curves, oracle_values
from reports.frames.outcomes import Standing, failures, optimism, progress, standing
from reports.frames.ranks import critical_difference, mean_ranks
from reports.frames.sensitivity import axes, sensitivity, sensitivity_grid, sensitivity_summary
from reports.frames.spread import components, spread_by_axis
from reports.frames.statistics import summarise

__all__ = [
    "BASELINES",
    "EPOCH",
    "FLOOR",
    "UNTOUCHED",
    "Epochs",
    "Standing",
    "axes",
    "baseline_summary",
    "best_hyperparameters",
    "components",
    "cost_of_not_knowing",
    "critical_difference",
    "directions",
    "edges",
    "epoch_convention",
    "epoch_of",
    "evaluation_curves",
    "evaluations",
    "failures",
    "gap_metrics",
    "hindsight_gaps",
    "importances",
    "iterate",
    "mean_ranks",
    "measured_gaps",
    "methods",
    "metric_summary",
    "metric_values",
    "metrics_of",
    "on_one_draw",
    "optimism",
    "oracle_values",
    "own_rule",
    "pareto_front",
    "progress",
    "run_values",
    "scenarios",
    "score_definition",
    "score_gaps",
    "search_history",
    "sensitivity",
    "sensitivity_grid",
    "sensitivity_summary",
    "sides",
    "sides_of_every_epoch",
    "size_label",
    "spread_by_axis",
    "stage_trials",
    "standing",
    "summarise",
    "tuning_label",
    "winner_of",
]

"""DataFrames laid out for print: one function a table of the report."""

from reports.tables.apart import apart_table, spread_table
from reports.tables.hindsight import hindsight_table, top5_table
from reports.tables.hyperparameters import hyperparameter_table, importance_table, sensitivity_table
from reports.tables.methods import attack_table, metric_table, run_time_table, score_table, stability_table
from reports.tables.search import optimism_table, progress_table

__all__ = [
    "apart_table",
    "attack_table",
    "hindsight_table",
    "hyperparameter_table",
    "importance_table",
    "metric_table",
    "optimism_table",
    "progress_table",
    "run_time_table",
    "score_table",
    "sensitivity_table",
    "spread_table",
    "stability_table",
    "top5_table",
]

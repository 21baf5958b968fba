"""Figures: each computes nothing but what its table says, then draws it."""

from reports.figures._base import Drawing, Plain, figure_of, template
from reports.figures.bars import attack_bars, gap_bars, score_bars
from reports.figures.curves import accuracy_curves
from reports.figures.embedding import embedding_panels
from reports.figures.epochs import gap_curves
from reports.figures.history import search_history
from reports.figures.importance import importance_bars
from reports.figures.overview import dot_plot
from reports.figures.ranks import mean_ranks
from reports.figures.sensitivity import DIVERGING, DIVERGING_DARK, sensitivity_heatmap, unmoved
from reports.figures.sizes import gaps_by_size
from reports.figures.stacked import stacked_gaps
from reports.figures.tradeoff import trade_off
from reports.figures.weights import weight_distance

__all__ = [
    "DIVERGING",
    "DIVERGING_DARK",
    "Drawing",
    "Plain",
    "accuracy_curves",
    "attack_bars",
    "dot_plot",
    "embedding_panels",
    "figure_of",
    "gap_bars",
    "gap_curves",
    "gaps_by_size",
    "importance_bars",
    "mean_ranks",
    "score_bars",
    "search_history",
    "sensitivity_heatmap",
    "stacked_gaps",
    "template",
    "trade_off",
    "unmoved",
    "weight_distance",
]

"""Figures: each computes nothing but what its table says, then draws it."""

from reports.figures._base import Drawing, template
from reports.figures.bars import attack_bars, gap_bars
from reports.figures.comparison import normalised_comparison
from reports.figures.curves import accuracy_curves
from reports.figures.embedding import embedding_panels
from reports.figures.epochs import gap_curves
from reports.figures.history import search_history
from reports.figures.importance import importance_bars
from reports.figures.ranks import mean_ranks
from reports.figures.sensitivity import sensitivity_heatmap
from reports.figures.sizes import gaps_by_size
from reports.figures.stacked import stacked_gaps
from reports.figures.tradeoff import trade_off
from reports.figures.weights import weight_distance

__all__ = [
    "Drawing",
    "accuracy_curves",
    "attack_bars",
    "embedding_panels",
    "gap_bars",
    "gap_curves",
    "gaps_by_size",
    "importance_bars",
    "mean_ranks",
    "normalised_comparison",
    "search_history",
    "sensitivity_heatmap",
    "stacked_gaps",
    "template",
    "trade_off",
    "weight_distance",
]

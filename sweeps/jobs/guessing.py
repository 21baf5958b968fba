"""How well a model does that has learnt nothing."""

from __future__ import annotations

import torch
from torch import Tensor

#: By how many standard deviations an accuracy must lie above that of guessing.
ABOVE_CHANCE = 4.0


def frequent(labels: Tensor) -> float:
    """The share of the most frequent class: what guessing it alone gives."""
    return float(torch.bincount(labels).max()) / len(labels)


def guessing(labels: Tensor) -> float:
    """Up to which accuracy on images with these labels, in per cent, a model is hardly better than the most frequent class."""
    share = frequent(labels)
    spread = (share * (1 - share) / len(labels)) ** 0.5
    least: float = min(share + ABOVE_CHANCE * spread, (1 + share) / 2)
    return 100 * least

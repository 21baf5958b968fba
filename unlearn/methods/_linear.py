"""Linear layers that a named random stream initialises."""

from __future__ import annotations

import math

import torch
from torch import nn


def fresh_linear(in_features: int, out_features: int, rng: torch.Generator) -> nn.Linear:
    """A layer as PyTorch initialises it: weights and biases uniform in ±1/√in_features, drawn from `rng` in this order."""
    layer = nn.Linear(in_features, out_features, device="meta").to_empty(device="cpu")
    bound = 1 / math.sqrt(in_features)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=rng)
        layer.bias.uniform_(-bound, bound, generator=rng)
    return layer

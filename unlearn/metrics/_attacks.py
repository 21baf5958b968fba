"""What membership attacks share: balanced classes, folds, and nearest neighbours by matrix products."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

NEIGHBOURS = 5
BLOCK = 1024

Rows = npt.NDArray[np.int64]


def balance(members: int, unseen: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Equally many rows of each kind in random order: min(members, unseen), drawn without replacement."""
    n = min(members, unseen)
    return rng.permutation(members)[:n], rng.permutation(unseen)[:n]


def member_neighbours(fitted: Tensor, is_member: Tensor, query: Tensor) -> Tensor:
    """What a 5-nearest-neighbour vote says of each query: True where it is called a member.

    Features are standardised by the fitted rows' mean and deviation. In float32; ‖a‖² − 2a·q orders neighbours as distance does.

    Args:
        fitted: (n, d) features, n ≥ 5; is_member: (n,) bool; query: (m, d).

    Returns:
        (m,) bool.
    """
    wide = fitted.double()
    mean, std = wide.mean(0), wide.std(0, correction=0)
    std = torch.where(
        std > 1e-7 * mean.abs() + 1e-30, std, 1.0
    )  # a constant feature tells nothing; scikit-learn divides by 1

    def standard(x: Tensor) -> Tensor:
        return ((x.double() - mean) / std).float()

    base, votes = standard(fitted), is_member.int()
    norms = base.square().sum(1)
    called = []
    with torch.autocast(query.device.type, enabled=False):
        for block in torch.split(query, BLOCK):
            distance = torch.addmm(norms, standard(block), base.T, alpha=-2)
            nearest = distance.topk(NEIGHBOURS, largest=False, sorted=False).indices
            called.append(votes[nearest].sum(1) * 2 > NEIGHBOURS)
    return torch.cat(called)

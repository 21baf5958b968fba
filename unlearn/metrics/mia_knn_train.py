"""MIARS-II: a nearest-neighbour attack on representations, fitted on training against held-out samples."""

from __future__ import annotations

import numpy as np
import torch

from unlearn.metrics._attacks import NEIGHBOURS, balance, member_neighbours
from unlearn.metrics._base import Outputs

__all__ = ["mia_knn_train"]


def mia_knn_train(outputs: Outputs) -> dict[str, float]:
    """`mia_knn_train`: share of the forget set in per cent that a 5-nearest-neighbour classifier calls non-member.

    It is fitted on standardised penultimate activations of training samples (retain and forget set, as the paper says) and of
    held-out ones, all classes, balanced by a seeded subsample; a forget sample that is drawn votes for itself, in the
    oracle's attack as in the unlearned model's. Left out where fewer than five samples of a kind exist.
    """
    retain, forget, heldout = (outputs[name].features for name in ("retain", "forget", "heldout"))
    training = torch.cat([retain, forget])
    rows = balance(len(training), len(heldout), np.random.default_rng(outputs.seed))
    n = len(rows[0])
    if n < NEIGHBOURS or len(forget) == 0:
        return {}
    x = torch.cat([training[torch.from_numpy(rows[0])], heldout[torch.from_numpy(rows[1])]])
    is_member = torch.arange(2 * n, device=x.device) < n
    called = member_neighbours(x, is_member, forget)
    return {"mia_knn_train": 100 * float((~called).double().mean())}

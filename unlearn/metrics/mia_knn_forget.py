"""MIARS-I: a nearest-neighbour attack that tells forget samples from unseen ones by their representation."""

from __future__ import annotations

import numpy as np
import torch

from unlearn.metrics._attacks import balance, member_neighbours
from unlearn.metrics._base import Outputs

__all__ = ["mia_knn_forget"]

FOLDS = 5


def mia_knn_forget(outputs: Outputs) -> dict[str, float]:
    """`mia_knn_forget`: accuracy in per cent, over five stratified held-out folds, of a 5-nearest-neighbour classifier.

    Features are penultimate activations, standardised on the fitted folds. Unseen samples are those of the forget set's classes
    in class scenarios; classes are balanced by a seeded subsample. Left out where fewer than five samples of a kind exist.
    """
    member, unseen = outputs["forget"].features, outputs.unseen.features
    rows = balance(len(member), len(unseen), np.random.default_rng(outputs.seed))
    n = len(rows[0])
    if n < FOLDS:
        return {}
    x = torch.cat([member[torch.from_numpy(rows[0])], unseen[torch.from_numpy(rows[1])]])
    is_member = torch.arange(2 * n, device=x.device) < n
    fold = (
        torch.arange(2 * n, device=x.device) % n % FOLDS
    )  # rows are in random order: each fold is a random, balanced fifth
    correct = 0
    for k in range(FOLDS):
        fitted, tested = fold != k, fold == k
        called = member_neighbours(x[fitted], is_member[fitted], x[tested])
        correct += int((called == is_member[tested]).sum())
    return {"mia_knn_forget": 100 * correct / (2 * n)}

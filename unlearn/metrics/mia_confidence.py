"""MIA-II: a support-vector attack on confidence, fitted on training against held-out samples (Jia et al., 2023)."""

from __future__ import annotations

import numpy as np

from unlearn.metrics._attacks import balance
from unlearn.metrics._base import Floats, Outputs

__all__ = ["mia_confidence"]

BINS = 1000


def mia_confidence(outputs: Outputs, *, exact: bool = False) -> dict[str, float]:
    """`mia_confidence`: share of the forget set in per cent that the attack calls non-member.

    The attack (RBF kernel, C = 3, γ = 1) sees the probability given to the true class, of training samples (retain and
    forget set, as the paper says) and of held-out ones, balanced by a seeded subsample. It is fitted on all classes, in
    class scenarios too: the training set has them all. Left out where fewer than two samples of a kind exist.

    Args:
        exact: fit on every sample, not on at most 1,000 weighted quantile bins of each kind (34 times slower at CIFAR-10's size,
            ≥ 99.9 % equal decisions).
    """
    training = np.concatenate([outputs["retain"].confidences, outputs["forget"].confidences])
    heldout = outputs["heldout"].confidences
    member_rows, unseen_rows = balance(len(training), len(heldout), np.random.default_rng(outputs.seed))
    if len(member_rows) < 2 or len(outputs["forget"]) == 0:
        return {}
    called = called_member(training[member_rows], heldout[unseen_rows], outputs["forget"].confidences, exact=exact)
    return {"mia_confidence": 100 * float(np.mean(~called))}


def called_member(
    member: Floats, unseen: Floats, query: Floats, *, exact: bool
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The attack's decision on each of `query`, (m,) bool, when fitted on `member` and `unseen` values, each 1-D."""
    fits = [(values, np.ones(len(values))) if exact else quantile_bins(values) for values in (member, unseen)]
    x = np.concatenate([centres for centres, _ in fits])
    weight = np.concatenate([weights for _, weights in fits])
    y = np.repeat([1, 0], [len(centres) for centres, _ in fits])
    from sklearn.svm import SVC  # noqa: PLC0415  # a second, which commands that only name the metric do not wait

    attack = SVC(C=3, gamma="auto").fit(x[:, None], y, sample_weight=weight)
    return np.asarray(attack.predict(query[:, None]) == 1)


def quantile_bins(values: Floats, bins: int = BINS) -> tuple[Floats, Floats]:
    """(centres, weights) of at most `bins` quantile bins: means and counts; where values repeat enough, they stay themselves."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= bins:
        return distinct, counts.astype(np.float64)
    parts = np.array_split(np.sort(values), bins)
    return np.array([part.mean() for part in parts]), np.array([float(len(part)) for part in parts])

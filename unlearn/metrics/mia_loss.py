"""MIA-I: a logistic attack that tells forget samples from unseen ones by their loss (Kurmanji et al., 2024)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unlearn.metrics._attacks import balance
from unlearn.metrics._base import Floats, Outputs

__all__ = ["mia_loss"]

REPEATS = 10
HELD_OUT = 0.3


def mia_loss(outputs: Outputs) -> dict[str, float]:
    """`mia_loss`: mean hold-out accuracy in per cent of the attack; 50 means that it learns nothing.

    Classes are balanced by a seeded subsample. Left out where fewer than two samples of each kind exist.
    """
    rng = np.random.default_rng(outputs.seed)
    member, unseen = outputs["forget"].losses, outputs.unseen.losses
    member_rows, unseen_rows = balance(len(member), len(unseen), rng)
    if len(member_rows) < 2:
        return {}
    return {"mia_loss": 100 * holdout_accuracy(member[member_rows], unseen[unseen_rows], rng)}


def holdout_accuracy(member: Floats, unseen: Floats, rng: np.random.Generator) -> float:
    """Mean accuracy of the logistic attack over stratified random hold-outs; `member` and `unseen` have shape (n,), n ≥ 2."""
    n = len(member)
    test = min(max(round(n * HELD_OUT), 1), n - 1)
    order_m = rng.permuted(np.tile(np.arange(n), (REPEATS, 1)), axis=1)
    order_u = rng.permuted(np.tile(np.arange(n), (REPEATS, 1)), axis=1)
    x = np.concatenate([member[order_m[:, test:]], unseen[order_u[:, test:]]], axis=1)
    y = np.repeat([1.0, 0.0], n - test)
    weight, bias = fit_logistic(x, y)
    x_test = np.concatenate([member[order_m[:, :test]], unseen[order_u[:, :test]]], axis=1)
    y_test = np.repeat([True, False], test)
    return float(np.mean((weight[:, None] * x_test + bias[:, None] > 0) == y_test))


def fit_logistic(
    x: Floats, y: npt.NDArray[np.float64], steps: int = 100, tolerance: float = 1e-10
) -> tuple[Floats, Floats]:
    """One-feature logistic regressions by Newton's method, many at once: the minimum that scikit-learn finds (C = 1).

    Args:
        x: features, shape (fits, n); y: labels 0 or 1, shape (n,).

    Returns:
        (weights, biases), each of shape (fits,).
    """
    centre = x.mean(1, keepdims=True)  # an unpenalised bias lets us shift; it keeps the Hessian well conditioned
    z = x - centre
    weight, bias = np.zeros(len(x)), np.zeros(len(x))

    def loss(w: Floats, b: Floats) -> Floats:
        margin = w[:, None] * z + b[:, None]
        out: Floats = (np.logaddexp(0, margin) - y * margin).sum(1) + w**2 / 2
        return out

    current = loss(weight, bias)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(weight[:, None] * z + bias[:, None], -500, 500)))
        residual, curvature = p - y, np.maximum(p * (1 - p), 1e-12)
        g_w, g_b = (residual * z).sum(1) + weight, residual.sum(1)
        h_ww = (curvature * z * z).sum(1) + 1
        h_wb, h_bb = (curvature * z).sum(1), curvature.sum(1)
        det = h_ww * h_bb - h_wb**2
        step_w = (h_bb * g_w - h_wb * g_b) / det
        step_b = (h_ww * g_b - h_wb * g_w) / det
        scale = np.ones(len(x))
        for _ in range(30):  # halve the step of those fits whose loss would rise
            trial = loss(weight - scale * step_w, bias - scale * step_b)
            worse = trial > current + 1e-12
            if not worse.any():
                break
            scale[worse] /= 2
        weight, bias, current = weight - scale * step_w, bias - scale * step_b, trial
        if max(np.abs(g_w).max(), np.abs(g_b).max()) < tolerance * len(y):
            break
    return weight, bias - weight * centre[:, 0]

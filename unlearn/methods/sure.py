"""SURE: selective unlearning via representation erasure, by domain-adversarial training (the source paper)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from unlearn.methods._base import UnlearningData, WeightedMethod
from unlearn.methods._linear import fresh_linear
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["SURE"]


@dataclass(frozen=True, kw_only=True)
class SURE(WeightedMethod):
    """Minimise α·CE(D_r) + (1 − α)·L_d through a gradient reversal layer (Equations 3, 4 and 7–9).

    L_d is the binary cross-entropy of a fresh domain regressor, Linear(d, 256)–ReLU–Linear(256, 1), that tells penultimate
    features of forget samples (1) from those of validation samples (0); each domain is averaged on its own.
    Forget and validation samples pass together, in train mode but without touching the running batch statistics, so that
    neither the domain leaks through batch statistics nor a forget set of one class skews the running ones.
    """

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        regressor = domain_regressor(model.feature_dim, rng.generator("regressor")).to(model.head.weight)
        optimizer = self.optimizer(model, regressor)
        shuffle = rng.generator("retain")
        forget = data.forget.cycle(self.forget_batch_size, rng.generator("forget"))
        unseen = data.validation.cycle(self.forget_batch_size, rng.generator("validation"))
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]

        def loss(x: Tensor, y: Tensor, x_f: Tensor, x_v: Tensor) -> Tensor:
            retain_loss = F.cross_entropy(model(x), y)
            with kept_statistics(norms):
                features = model.features(torch.cat([x_f, x_v]))
            guess = regressor(reverse_gradient(features)).squeeze(1)
            domain_loss = F.softplus(-guess[: len(x_f)]).mean() + F.softplus(guess[len(x_f) :]).mean()
            return self.alpha * retain_loss + (1 - self.alpha) * domain_loss

        step = data.step(model, optimizer, loss)
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y, next(forget)[0], next(unseen)[0])
            yield


def domain_regressor(feature_dim: int, rng: torch.Generator, hidden: int = 256) -> nn.Sequential:
    """A fresh two-layer network on features of shape (N, feature_dim) with one logit."""
    return nn.Sequential(fresh_linear(feature_dim, hidden, rng), nn.ReLU(), fresh_linear(hidden, 1, rng))


@contextmanager
def kept_statistics(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Batch normalisation by the batch's own statistics, the running ones left as they are."""
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


def reverse_gradient(features: Tensor) -> Tensor:
    """The identity forward, the negative identity backward (Ganin et al., 2016)."""
    reversed_features: Tensor = _ReverseGradient.apply(features)
    return reversed_features

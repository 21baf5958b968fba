"""The problems that the tests of methods share: one to compute by hand, one with batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unlearn.models import Classifier
from unlearn.testing import SEED, Problem, network_problem, same_state, small_problem

__all__ = ["SEED", "Problem", "network_problem", "resnet_problem", "same_state"]

resnet_problem = small_problem

#: Three epochs of one step each, with the rates of `RATES`.
FULL_BATCH = {"lr": 0.1, "lr_decay_epoch": 2, "epochs": 3, "retain_batch_size": 1000}
RATES = (0.1, 0.1, 0.01)


def linear_problem(classes: int = 3) -> Problem:
    """A two-layer network in float64: four pixels, Linear(4, 5)–tanh, Linear(5, classes). `features` and `logits` restate it."""

    def new_model() -> Classifier:
        return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh()), 5, classes).double()

    return Problem(new_model, (1, 2, 2), classes, sizes=(11, 6, 4))


def features(weights: list[Tensor], pixels: Tensor) -> Tensor:
    return torch.tanh(((pixels - 0.5) / 0.25).flatten(1) @ weights[0].T + weights[1])


def logits(weights: list[Tensor], pixels: Tensor) -> Tensor:
    return features(weights, pixels) @ weights[2].T + weights[3]


def cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """The mean of −log softmax(scores)[target]."""
    chosen = scores[torch.arange(len(scores)), target]
    return (scores.exp().sum(1).log() - chosen).mean()


def kl(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """T² times the mean over samples of Σ p·log(p / q)."""
    p, q = (torch.softmax(scores / temperature, dim=1) for scores in (teacher, student))
    return temperature**2 * (p * (p / q).log()).sum(1).mean()


class HandSGD:
    """v ← 0.9·v + g + 5e-4·θ, θ ← θ − lr·v, written out."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.weights = weights
        self.velocity = [torch.zeros_like(w) for w in weights]

    def step(self, loss: Tensor, lr: float) -> None:
        self.apply(list(torch.autograd.grad(loss, self.weights)), lr)

    def apply(self, gradients: list[Tensor], lr: float) -> None:
        with torch.no_grad():
            for w, v, g in zip(self.weights, self.velocity, gradients, strict=True):
                v.mul_(0.9).add_(g).add_(w, alpha=5e-4)
                w.sub_(lr * v)


def assert_weights(model: Classifier, expected: list[Tensor], tolerance: float = 1e-6) -> None:
    for (name, got), want in zip(model.named_parameters(), expected, strict=True):
        torch.testing.assert_close(
            got.detach(), want.detach(), rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


def assert_same_state(one: nn.Module, other: nn.Module) -> None:
    """Parameters and buffers are equal to the last bit."""
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name

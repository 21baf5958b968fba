"""The problems that the tests of methods share: one to compute by hand, one with batch normalisation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from unlearn.methods import Batches, Method, Streams, UnlearningData
from unlearn.models import Classifier
from unlearn.registry import find

SEED = 7

#: Three epochs of one step each, with the rates of `RATES`.
FULL_BATCH = {"lr": 0.1, "lr_decay_epoch": 2, "epochs": 3, "retain_batch_size": 1000}
RATES = (0.1, 0.1, 0.01)


@dataclass
class RecordingBatches(Batches):
    """Batches that remember which rows they served."""

    served_rows: list[Tensor] = field(default_factory=list)

    def rows(self, batch_size: int, rng: torch.Generator | None) -> Iterator[Tensor]:
        for rows in super().rows(batch_size, rng):
            self.served_rows.append(rows)
            yield rows


class Problem:
    """Random images in three sets, and an original model; every model that a method asks for is kept in `made`."""

    def __init__(
        self, new_model: Callable[[], Classifier], shape: tuple[int, ...], classes: int, sizes: tuple[int, int, int]
    ) -> None:
        rng = torch.Generator().manual_seed(0)
        total = sum(sizes) + 2  # two rows of the pool belong to no set
        images = torch.randint(0, 256, (total, *shape), generator=rng, dtype=torch.uint8)
        images[torch.rand(images.shape, generator=rng) < 0.3] = 255  # so that clamping to [0, 1] matters
        labels = torch.arange(total) % classes
        self.retain, self.forget, self.validation = torch.randperm(total, generator=rng)[2:].split(sizes)
        self.made: list[Classifier] = []
        self.images, self.labels = images, labels

        def make(seed: int) -> Classifier:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.made.append(new_model())
            return self.made[-1]

        self.data = UnlearningData(
            *(RecordingBatches(images, labels, index) for index in (self.retain, self.forget, self.validation)),
            original=make(0).eval().requires_grad_(False),
            new_model=make,
        )

    def start(self) -> Classifier:
        """A copy of the original to unlearn."""
        return copy.deepcopy(self.data.original).requires_grad_(True).train()

    def unlearned(self, method: Method, seed: int = SEED) -> Classifier:
        """The model after the whole run."""
        model = self.start()
        for _ in method.unlearn(model, self.data, Streams(seed)):
            pass
        return model

    def weights(self, model: Classifier | None = None) -> list[Tensor]:
        """Detached copies of the parameters of `model` or of the original, which need gradients."""
        return [p.detach().clone().requires_grad_() for p in (model or self.data.original).parameters()]

    def batch(self, name: str) -> tuple[Tensor, Tensor]:
        """A whole set as float64 pixels in [0, 1] and labels."""
        index = getattr(self, name)
        return (self.images[index] / 255).double(), self.labels[index]


def linear_problem(classes: int = 3) -> Problem:
    """A two-layer network in float64: four pixels, Linear(4, 5)–tanh, Linear(5, classes). `features` and `logits` restate it."""

    def new_model() -> Classifier:
        return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh()), 5, classes).double()

    return Problem(new_model, (1, 2, 2), classes, sizes=(11, 6, 4))


def resnet_problem(retain: int = 40, forget: int = 12, validation: int = 10) -> Problem:
    """A residual network of width 2 on 8×8 colour images of 4 classes."""
    return network_problem("small_resnet", (retain, forget, validation), width=2)


def network_problem(model: str, sizes: tuple[int, int, int], **options: int) -> Problem:
    """A network by its key, laid out in memory as a workspace does, on 8×8 colour images of 4 classes."""
    shape = (3, 8, 8)

    def new_model() -> Classifier:
        network: Classifier = find("models", model)(shape, 4, **options)
        return network.to(memory_format=torch.channels_last)

    return Problem(new_model, shape, 4, sizes)


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


def same_state(one: nn.Module, other: nn.Module) -> bool:
    second = other.state_dict()
    return all(torch.equal(value, second[name]) for name, value in one.state_dict().items())

"""A small problem to unlearn: random images in three sets, and a network that has an original."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from unlearn.methods import Batches, Method, Streams, UnlearningData
from unlearn.models import Classifier
from unlearn.registry import find

SEED = 7


@dataclasses.dataclass
class RecordingBatches(Batches):
    """Batches that remember which rows they served."""

    served_rows: list[Tensor] = dataclasses.field(default_factory=list)

    def rows(self, batch_size: int, rng: torch.Generator | None) -> Iterator[Tensor]:
        """As `Batches`."""
        for rows in super().rows(batch_size, rng):
            self.served_rows.append(rows)
            yield rows


class Problem:
    """Random images in three sets, and an original model; every model that a method asks for is kept in `made`.

    Args:
        sizes: of the retain, forget and validation set.
    """

    def __init__(
        self, new_model: Callable[[], Classifier], shape: tuple[int, ...], classes: int, sizes: tuple[int, int, int]
    ) -> None:
        rng = torch.Generator().manual_seed(0)
        total = sum(sizes) + 2  # two rows of the pool belong to no set
        images = torch.randint(0, 256, (total, *shape), generator=rng, dtype=torch.uint8)
        images[torch.rand(images.shape, generator=rng) < 0.3] = 255  # so that clamping to [0, 1] matters
        labels = torch.arange(total) % classes
        self.retain, self.forget, self.validation = torch.split(torch.randperm(total, generator=rng)[2:], list(sizes))
        self.made: list[Classifier] = []
        self.images, self.labels = images, labels

        def make(seed: int) -> Classifier:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.made.append(new_model())
            return self.made[-1]

        retain, forget, validation = (
            RecordingBatches(images, labels, index) for index in (self.retain, self.forget, self.validation)
        )
        self.data = UnlearningData(retain, forget, validation, make(0).eval().requires_grad_(False), make)

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


def network_problem(model: str, sizes: tuple[int, int, int] = (40, 12, 10), **options: int) -> Problem:
    """A network by its key, laid out in memory as a workspace does, on 8×8 colour images of 4 classes."""
    shape = (3, 8, 8)

    def new_model() -> Classifier:
        network: Classifier = find("models", model)(shape, 4, **options)
        return network.to(memory_format=torch.channels_last)

    return Problem(new_model, shape, 4, sizes)


def small_problem(retain: int = 40, forget: int = 12, validation: int = 10) -> Problem:
    """A residual network of width 2."""
    return network_problem("small_resnet", (retain, forget, validation), width=2)


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """Whether parameters and buffers are equal to the last bit."""
    second = other.state_dict()
    return all(torch.equal(value, second[name]) for name, value in one.state_dict().items())

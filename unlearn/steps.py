"""What methods and training share: bounds of hyperparameters, random streams, batches, one gradient step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unlearn.bounds import Bounds, Count, Rate, Weight
from unlearn.sgd import SGD

__all__ = [
    "SGD",
    "Batches",
    "Bounds",
    "Count",
    "Rate",
    "Streams",
    "Weight",
    "batch_sizes",
    "descend",
    "joins_last",
    "on_device",
]


@dataclass(frozen=True)
class Streams:
    """Independent random streams under one seed, by name: what one consumer draws never shifts another's numbers."""

    seed: int

    def generator(self, name: str) -> torch.Generator:
        """A CPU generator; the same (seed, name) gives the same numbers on every machine."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))

    def integer(self, name: str) -> int:
        """A seed in 0 … 2³¹ − 1, for what takes seeds rather than generators: `UnlearningData.new_model`, say."""
        return self.generator(name).initial_seed() % 2**31


@dataclass
class Batches:
    """A subset of the device-resident images, served in shuffled batches by index; it counts what it serves.

    A last batch of one sample joins the batch before it: batch normalisation in train mode refuses a single value per channel,
    and one epoch stays one pass over all samples.

    Attributes:
        images: uint8 pixels of the whole pool, shape (N, C, H, W); labels: int64, shape (N,).
        index: positions of this subset in the pool, shape (n,).
        served: samples handed out so far, each to pass forward and backward.
        forward_only: samples that passed forward only (a teacher's, say), which a method adds itself.
    """

    images: Tensor
    labels: Tensor
    index: Tensor
    served: int = field(default=0, init=False)
    forward_only: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self.index)

    def epoch(self, batch_size: int, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One shuffled pass as (images, labels) batches; the last one may be smaller, or larger by one (see `batch_sizes`)."""
        for rows in self.rows(batch_size, rng):
            yield self.images[rows], self.labels[rows]

    def cycle(self, batch_size: int, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Passes without end, reshuffled at each."""
        for rows in self.cycle_rows(batch_size, rng):
            yield self.images[rows], self.labels[rows]

    def cycle_rows(self, batch_size: int, rng: torch.Generator) -> Iterator[Tensor]:
        """Passes without end as pool positions, reshuffled at each."""
        while True:
            yield from self.rows(batch_size, rng)

    def rows(self, batch_size: int, rng: torch.Generator | None) -> Iterator[Tensor]:
        """One pass as pool positions: shuffled by `rng`, or in order where it is None."""
        order = self.index
        if rng is not None:
            order = order[on_device(torch.randperm(len(order), generator=rng), order.device)]
        for rows in torch.split(order, batch_sizes(len(order), batch_size)):
            self.served += len(rows)
            yield rows


def on_device(drawn: Tensor, device: torch.device) -> Tensor:
    """What a CPU generator has drawn, where it is needed; the host does not wait for the device."""
    return drawn.to(device, non_blocking=True)


def joins_last(n: int, batch_size: int) -> bool:
    """Whether a pass over `n` samples would end with a batch of one, which joins the batch before it."""
    return n > batch_size > 1 and n % batch_size == 1


def batch_sizes(n: int, batch_size: int) -> list[int]:
    """The sizes of the batches of one pass over `n` samples, in order; an empty set is one empty batch."""
    full, rest = divmod(n, batch_size)
    if joins_last(n, batch_size):
        return [batch_size] * (full - 1) + [batch_size + 1]
    return [batch_size] * full + [rest] * (rest > 0 or full == 0)


def descend(optimizer: SGD | torch.optim.Optimizer, loss: Tensor) -> None:
    """One gradient step on `loss`."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()

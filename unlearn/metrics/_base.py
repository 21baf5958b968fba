"""What a metric reads: one model's logits and features on named sets of samples, from one forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SetOutputs:
    """A model's outputs on one set.

    Attributes:
        logits: (n, classes); features: (n, d), penultimate activations; labels: (n,) int64, the true ones.
    """

    logits: Tensor
    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def predictions(self) -> Tensor:
        """(n,) int64."""
        return self.logits.argmax(1)

    @cached_property
    def accuracy(self) -> float:
        """Top-1 accuracy in per cent.

        Raises:
            ValueError: the set is empty.
        """
        if not len(self):
            raise ValueError("an accuracy must be of at least one sample")
        return 100 * float((self.predictions == self.labels).double().mean())

    @cached_property
    def losses(self) -> Floats:
        """(n,) cross-entropy of each sample, clipped to ±100."""
        loss = F.cross_entropy(self.logits.double(), self.labels, reduction="none")
        return _kept(loss.clamp(-100, 100))

    @cached_property
    def confidences(self) -> Floats:
        """(n,) probability given to the true class."""
        probability = self.logits.double().softmax(1)
        return _kept(probability.gather(1, self.labels[:, None]).squeeze(1))

    def split(self, sizes: list[int]) -> list[SetOutputs]:
        """Consecutive parts of the given sizes."""
        parts = zip(*(torch.split(whole, sizes) for whole in (self.logits, self.features, self.labels)), strict=True)
        return [SetOutputs(*part) for part in parts]

    @staticmethod
    def join(parts: list[SetOutputs]) -> SetOutputs:
        return SetOutputs(
            torch.cat([p.logits for p in parts]),
            torch.cat([p.features for p in parts]),
            torch.cat([p.labels for p in parts]),
        )


def _kept(values: Tensor) -> Floats:
    """As an array that metrics read one after the other, and none may write to."""
    found = values.cpu().numpy()
    found.setflags(write=False)
    return found


@dataclass(frozen=True)
class Outputs:
    """One model's outputs on every set that metrics speak of.

    Attributes:
        sets: by name: `retain`, `forget`, `heldout` (dev or test images), in class scenarios `heldout_class` (those of the
            forget classes), and the scenario's own groups of the forget set as `forget_<group>`.
        seed: seeds every random choice a metric makes, so that unlearned model and oracle are attacked alike.
        confused: the two classes whose labels were swapped in the forget set (confusion scenario), else None.
    """

    sets: Mapping[str, SetOutputs]
    seed: int = 0
    confused: tuple[int, int] | None = None

    def __getitem__(self, name: str) -> SetOutputs:
        return self.sets[name]

    def __contains__(self, name: object) -> bool:
        return name in self.sets

    @property
    def finite(self) -> bool:
        """Whether every logit and every feature is a finite number."""
        parts = [part for each in self.sets.values() for part in (each.logits, each.features)]
        return bool(torch.stack([torch.isfinite(part).all() for part in parts]).all())

    @property
    def unseen(self) -> SetOutputs:
        """What membership attacks compare the forget set with: held-out images, of its classes in class scenarios."""
        return self.sets.get("heldout_class", self.sets["heldout"])

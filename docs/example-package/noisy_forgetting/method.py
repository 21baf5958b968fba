"""An own method: shake the weights once, then fine-tune on the retain set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from unlearn.methods import Bounds, Method, Streams, UnlearningData
from unlearn.models import Classifier


@dataclass(frozen=True, kw_only=True)
class NoisyFineTune(Method):
    """Add Gaussian noise of relative size `noise` to every weight, then minimise CE(D_r)."""

    searched: ClassVar[tuple[str, ...]] = ("lr", "noise")

    noise: Annotated[float, Bounds(0.0, 1.0)] = 0.1

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        """Yield after each epoch."""
        draw = rng.generator("noise")  # a stream of its own: the same seed gives the same noise
        with torch.no_grad():
            for weight in model.parameters():
                shift = torch.randn(weight.shape, generator=draw).to(weight.device)
                weight.add_(shift * weight.std(correction=0), alpha=self.noise)
        optimizer = self.optimizer(model)
        step = data.step(model, optimizer)
        shuffle = rng.generator("retain")
        for _ in self.passes(optimizer):
            model.train()
            for images, labels in data.retain.epoch(self.retain_batch_size, shuffle):
                step(images, labels)
            yield

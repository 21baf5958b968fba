"""Random Label: learn wrong labels on the forget set, then the true ones on the retain set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import ForgetMethod, Streams, UnlearningData, descend
from unlearn.models import Classifier

__all__ = ["RandomLabel"]


@dataclass(frozen=True, kw_only=True)
class RandomLabel(ForgetMethod):
    """Each epoch: CE(D_f → labels redrawn uniformly from the other classes), then CE(D_r). It has no α."""

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle, shuffle_forget, draw = map(rng.generator, ("retain", "forget", "labels"))
        for _ in self.passes(optimizer):
            model.train()
            for x, y in data.forget.epoch(self.forget_batch_size, shuffle_forget):
                wrong = other_labels(y, model.num_classes, draw)
                descend(optimizer, F.cross_entropy(model(x), wrong))
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                descend(optimizer, F.cross_entropy(model(x), y))
            yield


def other_labels(labels: Tensor, num_classes: int, rng: torch.Generator) -> Tensor:
    """For each label one of the other classes, uniformly; shape as `labels`."""
    shift = torch.randint(1, num_classes, labels.shape, generator=rng).to(labels.device)
    return (labels + shift) % num_classes

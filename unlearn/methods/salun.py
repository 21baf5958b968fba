"""SalUn: random labels, learnt by the salient weights only (Fan et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import ForgetMethod, UnlearningData
from unlearn.methods._labels import with_wrong_labels
from unlearn.models import Classifier
from unlearn.steps import Streams, Weight

__all__ = ["SalUn"]

BATCH = 512


@dataclass(frozen=True, kw_only=True)
class SalUn(ForgetMethod):
    """Random Label on the weights where m = 1(|∇θ CE(D_f; θ₀)| among the largest); the others stay θ₀ to the last bit.

    Attributes:
        sparsity: fraction of the weights left at θ₀, over the whole network; 0 is Random Label.
    """

    searched: ClassVar[tuple[str, ...]] = ("lr", "sparsity", "forget_batch_size", "lr_decay_epoch")

    sparsity: Weight = 0.5

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle, shuffle_forget, draw = map(rng.generator, ("retain", "forget", "labels"))
        learning = [p for p in model.parameters() if p.requires_grad]
        start = [p.detach().clone() for p in learning]
        salient = salient_weights(model, data, self.sparsity)

        @torch.no_grad()
        def keep_the_others() -> None:
            for p, mask, old in zip(learning, salient, start, strict=True):
                p.copy_(torch.where(mask, p, old))

        step = data.step(model, optimizer, after=keep_the_others)
        for _ in self.passes(optimizer):
            model.train()
            wrong = with_wrong_labels(data.forget, model.num_classes, draw)
            for rows in data.forget.rows(self.forget_batch_size, shuffle_forget):
                step(data.forget.images[rows], wrong[rows])
            for x, y in data.retain.epoch(self.retain_batch_size, shuffle):
                step(x, y)
            yield


def salient_weights(model: Classifier, data: UnlearningData, sparsity: float) -> Sequence[Tensor]:
    """Masks shaped as the unfrozen parameters of `model`: true but for the `sparsity` of weights with the least |∇θ CE(D_f)|.

    The gradient is taken in eval mode, as in the authors' code; its samples are counted.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for p in parameters]
    model.eval()
    for rows in data.forget.rows(BATCH, None):
        loss = F.cross_entropy(model(data.forget.images[rows]), data.forget.labels[rows], reduction="sum")
        gradients = torch.autograd.grad(
            loss, parameters, materialize_grads=True
        )  # zeros of what the loss does not need
        for whole, part in zip(total, gradients, strict=True):
            whole.add_(part)
    magnitude = torch.cat([gradient.flatten() for gradient in total]).abs()
    mask = torch.ones_like(magnitude, dtype=torch.bool)
    mask[magnitude.argsort(stable=True)[: round(sparsity * len(magnitude))]] = False
    masks = torch.split(mask, [p.numel() for p in parameters])
    return [part.view(p.shape) for part, p in zip(masks, parameters, strict=True)]

"""SCRUB: move away from the original model on the forget set, stay close to it on the retain set (Kurmanji et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from unlearn.methods._base import UnlearningData, WeightedMethod
from unlearn.methods._distillation import kl_divergence, teacher_logits
from unlearn.models import Classifier
from unlearn.steps import Bounds, Count, Streams

__all__ = ["SCRUB"]


@dataclass(frozen=True, kw_only=True)
class SCRUB(WeightedMethod):
    """Each epoch: a pass over D_f ascending (1 − α)·KL_T(f₀‖f), then one over D_r descending α·(CE + KL_T(f₀‖f)).

    f₀ is the original model, f the model being unlearned; KL_T carries the factor T². The reported epoch is SCRUB-R's choice.

    Attributes:
        max_epochs: the pass over D_f is made in the first so many epochs only.
        temperature: T of both divergences.
    """

    epoch_rule: ClassVar[Literal["objective", "scrub_r"]] = "scrub_r"

    max_epochs: Count = 3
    temperature: Annotated[float, Bounds(1e-3, 1e3)] = 4.0

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle, shuffle_forget = rng.generator("retain"), rng.generator("forget")
        teacher = teacher_logits(data.original, data.retain, data.forget)
        images, labels = data.retain.images, data.retain.labels

        def forget_loss(x: Tensor, taught: Tensor) -> Tensor:
            return -(1 - self.alpha) * kl_divergence(taught, model(x), self.temperature)

        def retain_loss(x: Tensor, y: Tensor, taught: Tensor) -> Tensor:
            logits = model(x)
            distance = kl_divergence(taught, logits, self.temperature)
            return self.alpha * (F.cross_entropy(logits, y) + distance)

        ascend, descend = data.step(model, optimizer, forget_loss), data.step(model, optimizer, retain_loss)
        for epoch in self.passes(optimizer):
            model.train()
            if epoch < self.max_epochs:
                for rows in data.forget.rows(self.forget_batch_size, shuffle_forget):
                    ascend(images[rows], teacher[rows])
            for rows in data.retain.rows(self.retain_batch_size, shuffle):
                descend(images[rows], labels[rows], teacher[rows])
            yield

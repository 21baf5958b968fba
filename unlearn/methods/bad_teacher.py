"""Bad Teacher: imitate a random network on the forget set, the original on the retain set (Chundawat et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from unlearn.methods._base import UnlearningData, WeightedMethod
from unlearn.methods._distillation import kl_divergence, teacher_logits
from unlearn.models import Classifier
from unlearn.steps import Streams

__all__ = ["BadTeacher"]


@dataclass(frozen=True, kw_only=True)
class BadTeacher(WeightedMethod):
    """Minimise α·KL(f₀‖f) on D_r + (1 − α)·KL(f_random‖f) on D_f, both teachers in eval mode, at temperature 1.

    Divergences are means over the batch. The authors' code averages over the classes as well, so its learning rates
    correspond to smaller ones here.
    """

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        optimizer = self.optimizer(model)
        shuffle = rng.generator("retain")
        forget = data.forget.cycle_rows(self.forget_batch_size, rng.generator("forget"))
        good = teacher_logits(data.original, data.retain)
        bad = teacher_logits(data.new_model(rng.integer("teacher")), data.forget)
        images = data.retain.images

        def loss(x: Tensor, taught: Tensor, x_f: Tensor, taught_f: Tensor) -> Tensor:
            retain_loss, forget_loss = kl_divergence(taught, model(x)), kl_divergence(taught_f, model(x_f))
            return self.alpha * retain_loss + (1 - self.alpha) * forget_loss

        step = data.step(model, optimizer, loss)
        for _ in self.passes(optimizer):
            model.train()
            for rows in data.retain.rows(self.retain_batch_size, shuffle):
                rows_f = next(forget)
                step(images[rows], good[rows], images[rows_f], bad[rows_f])
            yield

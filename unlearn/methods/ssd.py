"""SSD: selective synaptic dampening, one shot and without training (Foster et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from unlearn.arithmetic import full_precision
from unlearn.methods._base import OF_TRAINING, Method, UnlearningData
from unlearn.models import Classifier
from unlearn.steps import Batches, Bounds, Streams

__all__ = ["SSD"]

#: Numbers held at once by the per-sample gradients of one batch: 1 GiB in float32.
GRADIENT_NUMBERS = 2**28


@dataclass(frozen=True, kw_only=True)
class SSD(Method):
    """Where I_f > α·I_D, scale θ by min(λ·I_D / I_f, 1); it yields once.

    I_f and I_D are the diagonals of the empirical Fisher information over D_f and over D = D_r ∪ D_f: the mean squared gradient
    of the loss of ONE sample. (The authors' code squares the mean gradient of a batch, which depends on the batch size.)

    Attributes:
        alpha: selection weight; not the retain weight that other methods call α. At least |D| / |D_f| selects nothing.
        dampening: λ.
    """

    searched: ClassVar[tuple[str, ...]] = ("alpha", "dampening")
    unread: ClassVar[tuple[str, ...]] = OF_TRAINING
    one_epoch: ClassVar[bool] = True

    alpha: Annotated[float, Bounds(0.0, 1e6)] = 10.0
    dampening: Annotated[float, Bounds(0.0, 1e6)] = 1.0

    def unlearn(self, model: Classifier, data: UnlearningData, rng: Streams) -> Iterator[None]:
        model.eval()
        forget, retain = squared_gradients(model, data.forget), squared_gradients(model, data.retain)
        with torch.no_grad():
            for name in forget:
                p = model.get_parameter(name)
                of_forget = forget[name] / len(data.forget)
                of_all = (forget[name] + retain[name]) / (len(data.forget) + len(data.retain))
                factor = (self.dampening * of_all / of_forget).clamp(max=1)
                p.copy_(torch.where(of_forget > self.alpha * of_all, p * factor, p))
        yield


def squared_gradients(model: Classifier, samples: Batches) -> dict[str, Tensor]:
    """By the name of each parameter that is not frozen, the sum over samples of (∇θ CE(f(x), y))²; every sample is counted.

    It computes in full precision, whatever autocast says: half the digits are lost in squaring.
    """
    parameters = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad}
    fixed = frozen | dict(model.named_buffers())

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        logits = functional_call(model, (parameters, fixed), (x[None],))
        return F.cross_entropy(logits, y[None])

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    batch_size = min(256, max(1, GRADIENT_NUMBERS // sum(p.numel() for p in model.parameters())))
    with full_precision(samples.images.device), sdpa_kernel(SDPBackend.MATH):
        for rows in samples.rows(batch_size, None):
            served = rows if len(rows) > 1 else rows.repeat(2)  # vmap over one sample is slow, with a warning
            x = samples.images[served].contiguous(memory_format=torch.channels_last)  # vmap cannot change layouts
            for name, gradient in gradients(parameters, x, samples.labels[served]).items():
                sums[name] += gradient[: len(rows)].square().sum(0)
    return sums

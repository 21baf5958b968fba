"""Batch normalisation with what follows it: on a GPU one operation, whose parts are bound by memory and not by arithmetic."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unlearn.graphs import in_repeated_step
from unlearn.switches import host_waits

__all__ = ["normalised"]

logger = logging.getLogger(__name__)

#: Of each type of activations that kernels know: the largest difference from torch's own operations that rounding explains, as a
#: share of the largest number.
ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 2**-7}
#: Where torch keeps what else is to happen when a module is called.
HOOKS = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"


def normalised(norm: nn.Module, x: Tensor, shortcut: Tensor | None = None, *, relu: bool = True) -> Tensor:
    """A batch normalisation, then an addition where something is to be added, then a ReLU where that is wanted.

    On a GPU that is one operation in steps that are repeated (CUDA graphs) and where no gradients are wanted: by kernels of this
    package's own (Triton), which read and write activations as often as they must, and round once where torch's operations
    round each. Elsewhere it is those, one after the other: to start a kernel of Triton's costs the host more than one of torch's.

    Args:
        norm: `nn.BatchNorm2d`; anything else in its place, or with hooks, is called as it is.
        x: activations, shape (N, C, H, W); shortcut: of that shape.
    """
    kernels = _kernels_of(norm, x, shortcut) if isinstance(norm, nn.BatchNorm2d) else None
    y: Tensor
    if kernels is None:
        y = norm(x)
        if shortcut is not None:
            y += shortcut  # in place: y is of this layer alone
        return F.relu(y, inplace=True) if relu else y
    if norm.training:
        running = None
        if norm.track_running_stats:
            running = kernels.Running(norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum)
        y, *_ = _Fused.apply(x, shortcut, norm.weight, norm.bias, (kernels, running, norm.eps, relu))
    else:
        layer = kernels.Layer(norm.weight, norm.bias, norm.eps, relu)
        y = kernels.forward_by(x, shortcut, layer, norm.running_mean, norm.running_var)
    return y


def _kernels_of(norm: nn.BatchNorm2d, x: Tensor, shortcut: Tensor | None) -> ModuleType | None:
    """What computes this at once; None where it would not pay, would not compute it, or not all that may be asked of it."""
    if (norm.training and not in_repeated_step()) or (torch.is_grad_enabled() and not norm.training):
        return None
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]  # torch leaves it untyped
    if tracing or torch.compiler.is_compiling():
        return None  # neither sees what a kernel writes
    if type(norm) is not nn.BatchNorm2d or any(getattr(norm, hooks) for hooks in HOOKS):
        return None
    known = norm.weight is not None and norm.running_mean is not None and norm.momentum is not None
    if not (known and norm.weight.dtype == torch.float32):
        return None
    if norm.training and x.numel() <= x.shape[1]:
        return None  # torch says what is wrong with that
    activations = [tensor for tensor in (x, shortcut) if tensor is not None]
    known = x.dtype in ROUNDING and all(_is_channels_last(tensor, x) for tensor in activations)
    return _kernels_for(x.device, x.dtype) if known else None


def _is_channels_last(tensor: Tensor, x: Tensor) -> bool:
    """Whether it is a batch of activations as `x` is, pixel after pixel in memory."""
    if tensor.shape != x.shape or tensor.dtype != x.dtype or tensor.dim() != 4 or tensor.numel() == 0:
        return False
    return tensor.is_contiguous(memory_format=torch.channels_last)


class _Fused(torch.autograd.Function):
    """Batch normalisation by the batch's own statistics, which are returned too, addition and ReLU."""

    @staticmethod
    def forward(
        x: Tensor, shortcut: Tensor | None, weight: Tensor, bias: Tensor, options: tuple[ModuleType, Any, float, bool]
    ) -> tuple[Tensor, Tensor, Tensor]:
        kernels, running, eps, relu = options
        found: tuple[Tensor, Tensor, Tensor] = kernels.forward(
            x, shortcut, kernels.Layer(weight, bias, eps, relu), running
        )
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, shortcut, weight, bias, (ctx.kernels, _, ctx.eps, ctx.relu) = inputs
        y, mean, inverse = output
        ctx.mark_non_differentiable(mean, inverse)
        # what was added is for gradients of gradients only: it is an earlier layer's result, which is kept anyway
        ctx.save_for_backward(x, shortcut, y if ctx.relu else None, weight, bias, mean, inverse)

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, shortcut, y, weight, bias, mean, inverse = ctx.saved_tensors
        if torch.is_grad_enabled():  # gradients of gradients are wanted
            dx, dz, dweight, dbias = _differentiable(ctx, dy, (x, shortcut, weight, bias))
            return dx, dz, dweight, dbias, None
        layer = ctx.kernels.Layer(weight, bias, ctx.eps, ctx.relu)
        dy = dy.contiguous(memory_format=torch.channels_last)
        added = shortcut is not None
        dx, dweight, dbias, dz = ctx.kernels.backward(dy, x, y if added else None, layer, mean, inverse)
        return dx, dz if added else None, dweight, dbias, None


def _differentiable(ctx: Any, dy: Tensor, inputs: tuple[Tensor | None, ...]) -> Iterator[Tensor | None]:
    """The gradients of x, what was added, weight and bias by torch's own operations, which have gradients themselves."""
    # aliases: one may lead to another, as what is added does to x, and that way is not this layer's
    aliases = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
    x, shortcut, weight, bias = aliases
    assert x is not None
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=ctx.eps)
    y = y if shortcut is None else y + shortcut
    wanted = [tensor for tensor in aliases if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(F.relu(y) if ctx.relu else y, wanted, dy, create_graph=True))
    for tensor in aliases:
        yield next(found) if tensor is not None and tensor.requires_grad else None


@cache
def _kernels_for(device: torch.device, dtype: torch.dtype) -> ModuleType | None:
    """The kernels, tried out on a GPU; None where they cannot be built or do not compute what torch computes.

    For activations of each type: GPUs before Ampere have no bfloat16 of their own, and Triton does not compile it for them.
    """
    if device.type != "cuda":
        return None
    with host_waits("default"):
        return _tried(device, dtype)


def _tried(device: torch.device, dtype: torch.dtype) -> ModuleType | None:
    try:
        from unlearn.models import _norm_kernels as kernels  # noqa: PLC0415  # GPU builds of torch bring Triton, others may not

        off = _difference(kernels, device, dtype)
    except Exception as error:  # Triton, its compiler, the C compiler that it calls, the driver
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    else:
        if off < ROUNDING[dtype]:
            return kernels
        reason = f"results are off by {off:.2g}"
    logger.warning("batch normalisation is not fused with what follows it: %s", reason)
    return None


@torch.inference_mode(False)  # the first who asks may be in it, and gradients cannot be had there
@torch.no_grad()
def _difference(kernels: ModuleType, device: torch.device, dtype: torch.dtype) -> float:
    """How far results and gradients are from torch's in float32, as a share of the largest of each."""
    x, shortcut, dy = (tensor.to(dtype) for tensor in _numbers(device))
    weight, bias = (torch.linspace(low, 1, x.shape[1], device=device) for low in (0.5, -1.0))
    mean, variance, seen = torch.zeros_like(weight), torch.ones_like(weight), torch.zeros((), device=device).long()
    layer = kernels.Layer(weight, bias, 1e-5, True)
    y, *statistics = kernels.forward(x, shortcut, layer, kernels.Running(mean, variance, seen, 0.1))
    found = [y, mean, variance, *kernels.backward(dy, x, y, layer, *statistics)]
    found.append(kernels.forward_by(x, shortcut, layer, mean, variance))
    theirs = torch.zeros_like(weight), torch.ones_like(weight)
    with torch.enable_grad():
        leaves = [tensor.float().clone().requires_grad_() for tensor in (x, weight, bias, shortcut)]
        own, by, offset, more = leaves
        wanted = F.relu(F.batch_norm(own, *theirs, by, offset, training=True) + more)
        gradients = torch.autograd.grad(wanted, leaves, dy.float())
    by_running = F.relu(F.batch_norm(x.float(), *theirs, weight, bias) + shortcut)
    pairs = zip(found, [wanted, *theirs, *gradients, by_running], strict=True)
    return float(torch.stack([(one - other).abs().max() / other.abs().max() for one, other in pairs]).max())


def _numbers(device: torch.device) -> tuple[Tensor, ...]:
    """Three made-up batches of activations, of shape (5, 24, 7, 6), drawn from no generator."""
    count = 3 * 5 * 24 * 7 * 6
    values = torch.sin(torch.arange(count, dtype=torch.float64) ** 2).float().reshape(3, 5, 24, 7, 6)
    return tuple(tensor.to(device, memory_format=torch.channels_last) for tensor in values)

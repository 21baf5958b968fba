"""Kernels of a batch normalisation with what follows it, on channels-last activations of a GPU.

Activations are a matrix of `rows` (one for each pixel of each sample) × `channels`. A program takes some rows of some channels.
No program waits for another, and what several add up is added in one order: equal calls give equal results, to the last bit.
Numbers are float32 within, whatever activations are.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["Layer", "Running", "backward", "forward", "forward_by"]

#: So many activations of so many channels a program takes at a time, and its warps.
TILE, CHANNELS, WARPS = 2048, 64, 2
#: Into so many parts at most the rows of all channels are divided where they are summed up.
PARTS = 512
#: What adds up the parts takes so many channels, and so many parts at a time.
ADD_CHANNELS, ADD_PARTS = 4, 512


@triton.jit
def _sums(x, first, second, rows, channels, tiles, height: tl.constexpr, width: tl.constexpr):
    """Sums of x − x₀ and (x − x₀)² over the rows of a part; x₀ is the first row, near enough to the mean for float32."""
    part = tl.program_id(0)
    at = tl.program_id(1) * width + tl.arange(0, width)
    exists = at < channels
    start = tl.load(x + at, mask=exists, other=0).to(tl.float32)
    one = tl.zeros((height, width), tl.float32)
    two = tl.zeros((height, width), tl.float32)
    for tile in range(tiles):
        row = (part * tiles + tile) * height + tl.arange(0, height)
        inside = (row < rows)[:, None] & exists[None, :]
        where = row.to(tl.int64)[:, None] * channels + at[None, :]
        value = tl.load(x + where, mask=inside, other=0).to(tl.float32)
        moved = tl.where(inside, value - start[None, :], 0)
        one += moved
        two += moved * moved
    tl.store(first + part * channels + at, tl.sum(one, 0), mask=exists)
    tl.store(second + part * channels + at, tl.sum(two, 0), mask=exists)


@triton.jit
def _add_up(sums, parts, channels, at, exists, depth: tl.constexpr, width: tl.constexpr):
    """The sum over all parts."""
    total = tl.zeros((depth, width), tl.float32)
    for begin in range(0, parts, depth):
        part = begin + tl.arange(0, depth)
        inside = (part < parts)[:, None] & exists[None, :]
        total += tl.load(sums + part[:, None] * channels + at[None, :], mask=inside, other=0)
    return tl.sum(total, 0)


@triton.jit
def _statistics(
    x,
    first,
    second,
    parts,
    rows,
    channels,
    eps,
    momentum,
    running_mean,
    running_var,
    seen,
    mean,
    inverse,
    keeps: tl.constexpr,
    depth: tl.constexpr,
    width: tl.constexpr,
):
    """Mean and 1/σ of each channel; running statistics move towards them."""
    at = tl.program_id(0) * width + tl.arange(0, width)
    exists = at < channels
    start = tl.load(x + at, mask=exists, other=0).to(tl.float32)
    n = rows.to(tl.float32)
    moved = _add_up(first, parts, channels, at, exists, depth, width) / n
    squares = _add_up(second, parts, channels, at, exists, depth, width) / n
    variance = squares - moved * moved
    variance = tl.where(variance < 0, 0, variance)  # what is no number stays none
    average = start + moved
    tl.store(mean + at, average, mask=exists)
    tl.store(inverse + at, 1 / tl.sqrt(variance + eps), mask=exists)
    if keeps:
        before = tl.load(running_mean + at, mask=exists, other=0)
        tl.store(running_mean + at, before + momentum * (average - before), mask=exists)
        before = tl.load(running_var + at, mask=exists, other=0)
        tl.store(running_var + at, before + momentum * (variance * (n / (n - 1)) - before), mask=exists)
        if tl.program_id(0) == 0:
            tl.store(seen, tl.load(seen) + 1)


@triton.jit
def _normalise(
    x,
    shortcut,
    mean,
    spread,
    weight,
    bias,
    y,
    rows,
    channels,
    eps,
    of_variance: tl.constexpr,
    adds: tl.constexpr,
    relu: tl.constexpr,
    height: tl.constexpr,
    width: tl.constexpr,
):
    """y = ReLU((x − mean)/σ·weight + bias + shortcut); `spread` is σ² with `of_variance`, else 1/σ."""
    row = tl.program_id(0) * height + tl.arange(0, height)
    at = tl.program_id(1) * width + tl.arange(0, width)
    exists = at < channels
    inside = (row < rows)[:, None] & exists[None, :]
    where = row.to(tl.int64)[:, None] * channels + at[None, :]
    inverse = tl.load(spread + at, mask=exists, other=0)
    if of_variance:
        inverse = 1 / tl.sqrt(inverse + eps)
    scale = inverse * tl.load(weight + at, mask=exists, other=0)
    value = tl.load(x + where, mask=inside, other=0).to(tl.float32)
    average = tl.load(mean + at, mask=exists, other=0)
    out = (value - average[None, :]) * scale[None, :] + tl.load(bias + at, mask=exists, other=0)[None, :]
    if adds:
        out += tl.load(shortcut + where, mask=inside, other=0).to(tl.float32)
    if relu:
        out = tl.where(out < 0, 0, out)  # what is no number stays none
    tl.store(y + where, out.to(y.dtype.element_ty), mask=inside)


@triton.jit
def _gradient_sums(
    dy,
    x,
    y,
    mean,
    inverse,
    weight,
    bias,
    dz,
    first,
    second,
    rows,
    channels,
    tiles,
    adds: tl.constexpr,
    relu: tl.constexpr,
    height: tl.constexpr,
    width: tl.constexpr,
):
    """Sums of dz and dz·(x − mean)/σ over the rows of a part, dz the gradient before the ReLU, which is kept for the shortcut."""
    part = tl.program_id(0)
    at = tl.program_id(1) * width + tl.arange(0, width)
    exists = at < channels
    average = tl.load(mean + at, mask=exists, other=0)
    spread = tl.load(inverse + at, mask=exists, other=0)
    scale = spread * tl.load(weight + at, mask=exists, other=0)
    offset = tl.load(bias + at, mask=exists, other=0)
    one = tl.zeros((height, width), tl.float32)
    two = tl.zeros((height, width), tl.float32)
    for tile in range(tiles):
        row = (part * tiles + tile) * height + tl.arange(0, height)
        inside = (row < rows)[:, None] & exists[None, :]
        where = row.to(tl.int64)[:, None] * channels + at[None, :]
        gradient = tl.load(dy + where, mask=inside, other=0).to(tl.float32)
        moved = tl.load(x + where, mask=inside, other=0).to(tl.float32) - average[None, :]
        if relu:
            if adds:
                out = tl.load(y + where, mask=inside, other=0).to(tl.float32)
            else:
                out = moved * scale[None, :] + offset[None, :]
            gradient = tl.where(out <= 0, 0, gradient)
            if adds:
                tl.store(dz + where, gradient.to(dz.dtype.element_ty), mask=inside)
        one += gradient
        two += tl.where(inside, gradient * moved * spread[None, :], 0)
    tl.store(first + part * channels + at, tl.sum(one, 0), mask=exists)
    tl.store(second + part * channels + at, tl.sum(two, 0), mask=exists)


@triton.jit
def _gradients_of_channels(first, second, parts, channels, dbias, dweight, depth: tl.constexpr, width: tl.constexpr):
    """The gradients of bias and weight."""
    at = tl.program_id(0) * width + tl.arange(0, width)
    exists = at < channels
    tl.store(dbias + at, _add_up(first, parts, channels, at, exists, depth, width), mask=exists)
    tl.store(dweight + at, _add_up(second, parts, channels, at, exists, depth, width), mask=exists)


@triton.jit
def _gradient_of_input(
    dz,
    x,
    mean,
    inverse,
    weight,
    bias,
    dbias,
    dweight,
    dx,
    rows,
    channels,
    relu: tl.constexpr,
    height: tl.constexpr,
    width: tl.constexpr,
):
    """dx = weight/σ·(dz − mean of dz − (x − mean)/σ · mean of dz·(x − mean)/σ); with `relu`, dz is still the one after it."""
    row = tl.program_id(0) * height + tl.arange(0, height)
    at = tl.program_id(1) * width + tl.arange(0, width)
    exists = at < channels
    inside = (row < rows)[:, None] & exists[None, :]
    where = row.to(tl.int64)[:, None] * channels + at[None, :]
    n = rows.to(tl.float32)
    average = tl.load(mean + at, mask=exists, other=0)
    spread = tl.load(inverse + at, mask=exists, other=0)
    scale = spread * tl.load(weight + at, mask=exists, other=0)
    gradient = tl.load(dz + where, mask=inside, other=0).to(tl.float32)
    moved = tl.load(x + where, mask=inside, other=0).to(tl.float32) - average[None, :]
    if relu:
        out = moved * scale[None, :] + tl.load(bias + at, mask=exists, other=0)[None, :]
        gradient = tl.where(out <= 0, 0, gradient)
    level = tl.load(dbias + at, mask=exists, other=0) / n
    slope = tl.load(dweight + at, mask=exists, other=0) / n * spread
    out = (gradient - level[None, :] - moved * slope[None, :]) * scale[None, :]
    tl.store(dx + where, out.to(dx.dtype.element_ty), mask=inside)


@dataclass(frozen=True)
class Layer:
    """A batch normalisation's weights, each of shape (C,) and float32, and whether a ReLU comes last."""

    weight: Tensor
    bias: Tensor
    eps: float
    relu: bool


@dataclass(frozen=True)
class Running:
    """Statistics that move towards a batch's: means, variances, and the number of batches seen."""

    mean: Tensor
    variance: Tensor
    seen: Tensor
    momentum: float


class _Grid:
    """How activations of shape (N, C, H, W) are divided among programs: by their shape alone."""

    def __init__(self, shape: torch.Size) -> None:
        self.channels = shape[1]
        self.rows = shape.numel() // self.channels
        width = min(CHANNELS, max(16, triton.next_power_of_2(self.channels)))
        height = TILE // width
        tiles, across = triton.cdiv(self.rows, height), triton.cdiv(self.channels, width)
        self.block = {"height": height, "width": width, "num_warps": WARPS}
        self.each = tiles, across
        self.tiles = triton.cdiv(tiles * across, PARTS)
        self.parts = triton.cdiv(tiles, self.tiles)
        self.summed = self.parts, across
        self.add_block = {"depth": ADD_PARTS, "width": ADD_CHANNELS}
        self.added = (triton.cdiv(self.channels, ADD_CHANNELS),)

    def sums(self, x: Tensor) -> Tensor:
        """Room for two numbers for each part and channel."""
        return x.new_empty((2, self.parts, self.channels), dtype=torch.float32)


@lru_cache(maxsize=1024)  # a step asks for each of its layers' twice
def _grid(shape: torch.Size) -> _Grid:
    return _Grid(shape)


def forward(x: Tensor, shortcut: Tensor | None, layer: Layer, running: Running | None) -> tuple[Tensor, Tensor, Tensor]:
    """What a layer makes of a batch by the batch's own statistics, and these: mean and 1/σ, each of shape (C,).

    Args:
        running: is changed by this batch.
    """
    grid = _grid(x.shape)
    with _device_of(x):
        first, second = grid.sums(x)
        _sums[grid.summed](x, first, second, grid.rows, grid.channels, grid.tiles, **grid.block)
        mean, inverse = layer.weight.new_empty((2, grid.channels))
        _statistics[grid.added](
            x,
            first,
            second,
            grid.parts,
            grid.rows,
            grid.channels,
            layer.eps,
            *((running.momentum, running.mean, running.variance, running.seen) if running else (0.0, mean, mean, mean)),
            mean,
            inverse,
            keeps=running is not None,
            **grid.add_block,
        )
        y = _normalised(x, shortcut, mean, inverse, layer, of_variance=False)
    return y, mean, inverse


def forward_by(x: Tensor, shortcut: Tensor | None, layer: Layer, mean: Tensor, variance: Tensor) -> Tensor:
    """What a layer makes of a batch by given statistics, each of shape (C,)."""
    with _device_of(x):
        return _normalised(x, shortcut, mean, variance, layer, of_variance=True)


def _normalised(
    x: Tensor, shortcut: Tensor | None, mean: Tensor, spread: Tensor, layer: Layer, *, of_variance: bool
) -> Tensor:
    grid, y = _grid(x.shape), torch.empty_like(x)
    _normalise[grid.each](
        x,
        x if shortcut is None else shortcut,
        mean,
        spread,
        layer.weight,
        layer.bias,
        y,
        grid.rows,
        grid.channels,
        layer.eps,
        of_variance=of_variance,
        adds=shortcut is not None,
        relu=layer.relu,
        **grid.block,
    )
    return y


def backward(
    dy: Tensor, x: Tensor, y: Tensor | None, layer: Layer, mean: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of x, of the layer's weight and bias, and of what was added, from that of the result.

    Args:
        y: the result, where something was added before a ReLU.
        mean, inverse: of the batch, as `forward` returns them.
    """
    grid = _grid(x.shape)
    added = y is not None
    with _device_of(x):
        first, second = grid.sums(x)
        dx = torch.empty_like(x)
        dz = torch.empty_like(x) if added else dy
        _gradient_sums[grid.summed](
            dy,
            x,
            y if added else x,
            mean,
            inverse,
            layer.weight,
            layer.bias,
            dz,
            first,
            second,
            grid.rows,
            grid.channels,
            grid.tiles,
            adds=added,
            relu=layer.relu,
            **grid.block,
        )
        dweight, dbias = torch.empty_like(layer.weight), torch.empty_like(layer.bias)
        _gradients_of_channels[grid.added](first, second, grid.parts, grid.channels, dbias, dweight, **grid.add_block)
        _gradient_of_input[grid.each](
            dz,
            x,
            mean,
            inverse,
            layer.weight,
            layer.bias,
            dbias,
            dweight,
            dx,
            grid.rows,
            grid.channels,
            relu=layer.relu and not added,
            **grid.block,
        )
    return dx, dweight, dbias, dz


def _device_of(x: Tensor) -> AbstractContextManager[None]:
    """Triton takes the current device."""
    if not x.is_cuda or x.get_device() == torch.cuda.current_device():
        return nullcontext()
    return torch.cuda.device(x.device)

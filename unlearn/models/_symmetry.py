"""Which units of a network may be renumbered together without changing its function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Axes = dict[str, tuple[str | None, ...]]


@dataclass(frozen=True)
class Symmetries:
    """The permutation symmetries of an architecture (Ainsworth et al., 2022, Section 3 and Appendix A).

    Attributes:
        axes: for every parameter, and every buffer with a unit axis, one entry per axis: the group of units that it runs over, or
            None where the order is fixed. Groups are named in the order of the forward pass.
        penultimate: the parameter whose layer writes the penultimate activations.
    """

    axes: Mapping[str, tuple[str | None, ...]]
    penultimate: str


def convolution(name: str, into: str | None, out: str) -> Axes:
    """Axes of a bias-free convolution from group `into` (None: the image's channels) to group `out`."""
    return {f"{name}.weight": (out, into, None, None)}


def batch_norm(name: str, group: str) -> Axes:
    """Axes of a batch normalisation over `group`, running statistics included."""
    return {f"{name}.{tensor}": (group,) for tensor in ("weight", "bias", "running_mean", "running_var")}


def residual_network(stem: tuple[str, str], blocks: Mapping[str, str | None], head: str = "head") -> Symmetries:
    """Symmetries of a network of two-convolution residual blocks (`conv1`, `bn1`, `conv2`, `bn2`) with a linear head.

    Units on both sides of an identity shortcut are one group; a projection starts a new one.

    Args:
        stem: names of the first convolution and its normalisation.
        blocks: block name → name of its projection (a convolution `.0`, a normalisation `.1`), or None for an identity shortcut.
    """
    stream = "stream 0"
    axes = convolution(stem[0], None, stream) | batch_norm(stem[1], stream)
    for number, (block, projection) in enumerate(blocks.items(), 1):
        inner, out = f"inner {number}", stream if projection is None else f"stream {number}"
        axes |= convolution(f"{block}.conv1", stream, inner) | batch_norm(f"{block}.bn1", inner)
        axes |= convolution(f"{block}.conv2", inner, out) | batch_norm(f"{block}.bn2", out)
        if projection is not None:
            axes |= convolution(f"{projection}.0", stream, out) | batch_norm(f"{projection}.1", out)
        stream = out
    axes |= {f"{head}.weight": (None, stream), f"{head}.bias": (None,)}
    return Symmetries(axes, penultimate=f"{block}.conv2.weight")

"""In which precision a device computes: of whole runs, and of what needs all its digits whatever the run has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from unlearn.switches import kept_backends

__all__ = ["arithmetic", "full_precision"]


@contextmanager
def arithmetic(device: torch.device, precision: Literal["float32", "bfloat16"]) -> Iterator[None]:
    """Within, forward passes are in `precision`; it may span many steps.

    On a GPU what stays float32 multiplies in TF32 (10 bits of mantissa, as cuDNN's convolutions do by default), and cuDNN takes
    kernels that repeat themselves. `cudnn.benchmark` stays off: it chooses kernels by timing, so that equal runs would differ.

    Autocast has no cache: it would keep the weights that it first cast, and a model that trains under it never learn.
    """
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)
    with kept_backends(), autocast:
        if device.type == "cuda":
            set_gpu_products(tf32=True)
            torch.backends.cudnn.deterministic = True
        yield


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Within, everything is float32 to its last digit, whatever precision a run has."""
    with kept_backends(), torch.autocast(device.type, enabled=False):
        if device.type == "cuda":
            set_gpu_products(tf32=False)
        yield


def set_gpu_products(*, tf32: bool) -> None:
    """Whether matrix products and convolutions of float32 are TF32 on a GPU."""
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32

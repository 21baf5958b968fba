"""What depends on the device that a run is on: its arithmetic, and when its work is done."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from unlearn.hardware import cpu_has_bfloat16


@dataclass(frozen=True)
class Place:
    """Where something ran: seconds of one place say nothing of another."""

    host: str
    device: str


def place_of(device: torch.device) -> Place:
    """This host, with the kind of its device: `cpu`, or a GPU's name."""
    return Place(platform.node(), torch.cuda.get_device_name(device) if device.type == "cuda" else device.type)


def arithmetic(device: torch.device, precision: Literal["float32", "bfloat16"]) -> AbstractContextManager[None]:
    """The autocast context that `precision` asks for; it may span many steps.

    Without the cache: autocast would keep the weights that it first cast, and a model that trains under it never learn.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware: GPUs from compute capability 8.0 on, and processors that say so."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported() and torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_has_bfloat16()


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that clocks tell the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

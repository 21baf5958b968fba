"""What depends on the device that a run is on: its name, what it has in hardware, and when its work is done."""

from __future__ import annotations

import platform
from dataclasses import dataclass

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


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware: GPUs from compute capability 8.0 on, and processors that say so."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported() and torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_has_bfloat16()


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that clocks tell the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

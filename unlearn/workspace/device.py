"""What depends on the device that a run is on: its name, what it has in hardware, and when its work is done."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from unlearn.hardware import WITH_GRAPHS, cpu_has_bfloat16


@dataclass(frozen=True)
class Place:
    """Where something ran, and how: seconds of one place say nothing of another.

    Attributes:
        device: `cpu`, or a GPU's name; with `, CUDA graphs` where it repeats gradient steps by itself.
    """

    host: str
    device: str


def place_of(device: torch.device, *, graphs: bool = False) -> Place:
    """This host, with the kind of its device, which may repeat gradient steps by itself."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Place(platform.node(), f"{name}{WITH_GRAPHS * graphs}")


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware: GPUs from compute capability 8.0 on, and processors that say so."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported() and torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_has_bfloat16()


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that clocks tell the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def still_works(device: torch.device) -> bool:
    """Whether this process can go on using the device: after a kernel's invalid access it cannot."""
    try:
        synchronize(device)
    except RuntimeError:
        return False
    return True


def seconds_a_call(call: Callable[[], object], device: torch.device, *, least: float, ready: int = 1) -> float:
    """The mean time of calls that follow each other, for `least` seconds or a little longer; `ready` first ones do not count."""
    for _ in range(ready):
        call()
    synchronize(device)
    count = 1
    while True:
        started = time.perf_counter()
        for _ in range(count):
            call()
        synchronize(device)
        if (elapsed := time.perf_counter() - started) >= least:
            return elapsed / count
        count = max(count + 1, math.ceil(1.2 * count * least / max(elapsed, 1e-9)))

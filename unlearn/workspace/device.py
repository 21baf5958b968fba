"""What depends on the device that a run is on: its arithmetic, and when its work is done."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch


def arithmetic(device: torch.device, precision: Literal["float32", "bfloat16"]) -> AbstractContextManager[None]:
    """The autocast context that `precision` asks for; it may span many steps.

    Without the cache: autocast would keep the weights that it first cast, and a model that trains under it never learn.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that clocks tell the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

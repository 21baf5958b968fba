"""Bounds of options and hyperparameters, carried in their types. The standard library only: naming an option needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Bounds:
    """The values a hyperparameter may take, ends included; carried in its field's type."""

    low: float
    high: float


Rate = Annotated[float, Bounds(1e-12, 100.0)]
Weight = Annotated[float, Bounds(0.0, 1.0)]
Count = Annotated[int, Bounds(1, 1_000_000)]

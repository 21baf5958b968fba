"""Looks at a record that many tables and figures take, taken once."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import pandas as pd

from sweeps.record.record import SweepRecord

__all__ = ["once"]

P = ParamSpec("P")
T = TypeVar("T")
Look = Callable[Concatenate[SweepRecord, P], T]


def once(look: Look[P, T]) -> Look[P, T]:
    """Let a function of a record take each look once, as records do not change; a frame or list is its caller's to add to.

    Args:
        look: its other arguments are hashable.
    """

    @functools.wraps(look)
    def taken(record: SweepRecord, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (look, args, tuple(sorted(kwargs.items())))
        if key not in record.looks:
            record.looks[key] = look(record, *args, **kwargs)
        found: T = record.looks[key]
        return copy.copy(found) if isinstance(found, list | pd.DataFrame) else found

    return taken

"""Looks at a record that many tables and figures take, taken once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import pandas as pd

from sweeps.record.record import SweepRecord

__all__ = ["once"]

P = ParamSpec("P")
Look = Callable[Concatenate[SweepRecord, P], pd.DataFrame]


def once(look: Look[P]) -> Look[P]:
    """Let a function of a record take each look once, as records do not change; every caller has a frame of its own to add to.

    Args:
        look: its other arguments are hashable.
    """

    @functools.wraps(look)
    def taken(record: SweepRecord, /, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        key = (look, args, tuple(sorted(kwargs.items())))
        if key not in record.looks:
            record.looks[key] = look(record, *args, **kwargs)
        return record.looks[key].copy(deep=False)

    return taken

"""A sweep's storage as tidy tables: the only thing that reports read."""

from sweeps.record.find import find_sweep, sweeps_in
from sweeps.record.load import load_sweep
from sweeps.record.record import COLUMNS, SweepRecord

__all__ = ["COLUMNS", "SweepRecord", "find_sweep", "load_sweep", "sweeps_in"]

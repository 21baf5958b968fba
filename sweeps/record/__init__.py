"""A sweep's storage as tidy tables: the only thing that reports read."""

from sweeps.plan import STAGES
from sweeps.record.find import find_sweep, sweeps_in
from sweeps.record.load import load_sweep
from sweeps.record.record import COLUMNS, SweepRecord
from sweeps.studies.winners import Winner

__all__ = ["COLUMNS", "STAGES", "SweepRecord", "Winner", "find_sweep", "load_sweep", "sweeps_in"]

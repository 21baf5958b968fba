"""A sweep's storage as tidy tables: the only thing that reports read."""

from sweeps.objective import TITLES
from sweeps.plan import STAGES
from sweeps.record.apart import (
    BASELINES,
    FLOOR,
    UNIT_LEVELS,
    UNTOUCHED,
    Apart,
    BesideOriginal,
    Rival,
    beside_original,
    command_for,
    draws_vary,
    evaluations,
    in_common,
    told_apart,
    unit_of,
)
from sweeps.record.commands import (
    ONCE,
    extending,
    last_command,
    options_among,
    typed_runs,
    with_setting,
    without_options,
)
from sweeps.record.find import find_sweep, sweeps_in
from sweeps.record.load import load_sweep
from sweeps.record.numbers import MISSING, decimals, number, signed, significant, uncertain
from sweeps.record.once import once
from sweeps.record.progress import still_tuning
from sweeps.record.record import COLUMNS, SweepRecord, empty_record
from sweeps.record.remarks import Remark, remarks
from sweeps.record.rounding import entering, metric_rounding, moved_by, score_rounding
from sweeps.record.statistics import LEAST_UNITS, LEVEL, MOST_UNITS, POWER, compare
from sweeps.record.strings import plain_strings
from sweeps.studies.winners import Winner
from sweeps.text import in_brief

__all__ = [
    "BASELINES",
    "COLUMNS",
    "FLOOR",
    "LEAST_UNITS",
    "LEVEL",
    "MISSING",
    "MOST_UNITS",
    "ONCE",
    "POWER",
    "STAGES",
    "TITLES",
    "UNIT_LEVELS",
    "UNTOUCHED",
    "Apart",
    "BesideOriginal",
    "Remark",
    "Rival",
    "SweepRecord",
    "Winner",
    "beside_original",
    "command_for",
    "compare",
    "decimals",
    "draws_vary",
    "empty_record",
    "entering",
    "evaluations",
    "extending",
    "find_sweep",
    "in_brief",
    "in_common",
    "last_command",
    "load_sweep",
    "metric_rounding",
    "moved_by",
    "number",
    "once",
    "options_among",
    "plain_strings",
    "remarks",
    "score_rounding",
    "signed",
    "significant",
    "still_tuning",
    "sweeps_in",
    "told_apart",
    "typed_runs",
    "uncertain",
    "unit_of",
    "with_setting",
    "without_options",
]

"""Which methods are told apart: all pairs by paired t-tests with Holm's correction, and what so many forget sets could have told.

Checked by simulation with known truth (tests/sweeps/test_statistics.py): equal methods are told apart in at most 5 % of sweeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "LEAST_UNITS",
    "LEVEL",
    "MOST_UNITS",
    "POWER",
    "Pairs",
    "compare",
    "holm",
    "least_difference",
    "units_needed",
]

Floats = npt.NDArray[np.float64]

LEVEL = 0.05
#: Probability with which a difference is told that is called one that so many forget sets can tell.
POWER = 0.8
#: Below so many forget sets (trainings, runs) that two methods share, nothing is told apart.
LEAST_UNITS = 3
#: Beyond so many, how many are needed is not counted.
MOST_UNITS = 1000
TRAINING, RUN = "training", "run"


@dataclass(frozen=True)
class Pairs:
    """Pairs of methods compared; arrays of one entry a pair.

    Attributes:
        methods: names. first, second: positions among them, first < second.
        difference: mean of first − second over the units that both have. spread: its standard deviation over them.
        units: how many they are: forget sets, or trainings where there are several.
        p: two-sided, of a paired t-test, Holm-adjusted over the pairs; NaN below `LEAST_UNITS`.
    """

    methods: tuple[str, ...]
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    difference: Floats
    spread: Floats
    units: npt.NDArray[np.int64]
    p: Floats

    @classmethod
    def of(cls, samples: pd.DataFrame, rounding: float = 0.0, only: str | None = None) -> Pairs:
        """All pairs of the columns, or only those with one of them.

        Args:
            samples: one column per method, one row per run; lower is better; NaN where a method has no result. With index levels
                `training` and `run`, runs of one forget set are averaged first, then, where there are several trainings,
                the forget sets of one training: what is averaged is no independent witness.
            rounding: the standard deviation that rounding gives a difference (`score_rounding`); 0 where it is not known, and the
                least distance of two values stands for it, which is too much where values are few and far apart.
        """
        from scipy.special import stdtr  # noqa: PLC0415  # a quarter of a second, which `sweeps status` does not wait

        values = np.round(samples.to_numpy(float), 9)
        first, second = np.triu_indices(values.shape[1], 1)
        if only is not None:
            mine = (first == (column := samples.columns.get_loc(only))) | (second == column)
            first, second = first[mine], second[mine]
        differences = values[:, first] - values[:, second]
        for groups in _nesting(samples.index):
            differences = _group_means(differences, groups)
        there = np.isfinite(differences)
        units = there.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(there, differences, 0).sum(0) / units
            squares = np.where(there, (differences - mean) ** 2, 0).sum(0)
            spread = np.maximum(np.sqrt(squares / (units - 1)), rounding or _rounding(values))
            t = np.where(mean == 0, 0, np.abs(mean) / (spread / np.sqrt(units)))
        raw = np.where(units >= LEAST_UNITS, 2 * stdtr(np.maximum(units - 1, 1), -t), np.nan)
        return cls(tuple(map(str, samples.columns)), first, second, mean, spread, units, holm(raw))

    @property
    def next_level(self) -> float:
        """The level that the next pair must pass to be told apart: by Holm's rule those told already do not count any more."""
        left = int(np.isfinite(self.p).sum()) - int((self.p < LEVEL).sum())
        return LEVEL / max(left, 1)

    def rows_of(self, method: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """The pairs of one method with each other one, in their order, and by what they are multiplied to be other − it."""
        rows = np.flatnonzero((self.first == method) | (self.second == method))
        return rows, np.where(self.first[rows] == method, -1.0, 1.0)

    def against(self, method: str) -> pd.DataFrame:
        """Every other method less `method`: difference, spread, units, p; indexed by method."""
        own = self.methods.index(method)
        rows, sign = self.rows_of(own)
        columns = {"spread": self.spread[rows], "units": self.units[rows], "p": self.p[rows]}
        others = [m for m in self.methods if m != method]
        return pd.DataFrame({"difference": sign * self.difference[rows], **columns}, index=others)


def compare(samples: pd.DataFrame, rounding: float = 0.0) -> pd.DataFrame:
    """Which methods are best, and which are not told apart from the best.

    Args:
        samples, rounding: as `Pairs.of` takes them.

    Returns:
        Indexed by method: `best` (least mean; several where means are equal; none where there is no rival), `tied` (others not
        told apart from it), `p` (Holm-adjusted over all pairs, against the best, of several the first by name; NaN below
        `LEAST_UNITS`), `pairs` (forget sets, or trainings, shared with it). One that is better on the forget sets that both
        share, and has the greater mean for others alone, is tied whatever its p.
    """
    names, means = list(samples.columns), samples.mean().to_numpy(float)
    best, tied = np.zeros(len(names), bool), np.zeros(len(names), bool)
    p, units = np.full(len(names), np.nan), np.zeros(len(names), int)
    known = np.flatnonzero(np.isfinite(means))
    if len(known) > 1:
        best = np.isclose(means, np.nanmin(means), rtol=0, atol=1e-9)
        first = min(np.flatnonzero(best), key=lambda i: str(names[i]))
        others = known[known != first]
        pairs = Pairs.of(samples.iloc[:, known], rounding)
        rows, sign = pairs.rows_of(int(np.flatnonzero(known == first)[0]))
        p[others], units[others] = pairs.p[rows], pairs.units[rows]
        apart = (pairs.p[rows] < LEVEL) & (sign * pairs.difference[rows] > 0)
        tied[others] = ~apart & ~best[others]
    return pd.DataFrame({"best": best, "tied": tied, "p": p, "pairs": units}, index=samples.columns)


def holm(p: npt.ArrayLike) -> Floats:
    """Holm's step-down adjustment of p-values; NaNs stay NaN and do not count."""
    raw = np.asarray(p, dtype=float)
    adjusted = np.full(len(raw), np.nan)
    known = np.flatnonzero(np.isfinite(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, raw[order] * factors))
    return adjusted


def least_difference(spread: float, units: int, level: float) -> float:
    """The least true difference that a paired t-test of `level` on so many units tells with probability `POWER`.

    Args:
        spread: standard deviation of the differences.
        level: two-sided.

    Returns:
        In the unit of `spread`; NaN below `LEAST_UNITS` or without a spread.
    """
    if units < LEAST_UNITS or not math.isfinite(spread):
        return math.nan
    return spread / math.sqrt(units) * _noncentrality(units - 1, level)


def units_needed(difference: float, spread: float, level: float) -> int | None:
    """How many units would tell a true `difference` with probability `POWER`; None where it is more than `MOST_UNITS`."""
    if not difference or not math.isfinite(difference) or not math.isfinite(spread):
        return None

    def enough(units: int) -> bool:
        return least_difference(spread, units, level) <= abs(difference)

    if not enough(MOST_UNITS):
        return None
    low, high = LEAST_UNITS - 1, MOST_UNITS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=4096)
def _noncentrality(df: int, level: float) -> float:
    """At which noncentrality a two-sided t-test rejects with probability `POWER` (the far tail, below 1e-4, left out)."""
    from scipy.special import nctdtr, stdtrit  # noqa: PLC0415  # likewise

    critical = float(stdtrit(df, 1 - level / 2))
    low, high = 0.0, critical + 1
    while nctdtr(df, high, critical) > 1 - POWER:
        high *= 2
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if nctdtr(df, middle, critical) > 1 - POWER else (low, middle)
    return high


def _nesting(index: pd.Index) -> list[npt.NDArray[np.int64]]:
    """What each row, then what each forget set belongs to: groups to be averaged, from the inside out."""
    if TRAINING not in index.names:
        return []
    draws = [name for name in index.names if name != RUN]
    frame = index.to_frame(index=False)
    rows = np.asarray(frame.groupby(draws, sort=False, dropna=False).ngroup(), dtype=np.int64)
    trainings = frame.drop_duplicates(draws)[TRAINING].factorize()[0].astype(np.int64)
    return [rows, trainings] if trainings.max(initial=0) > 0 else [rows]


def _group_means(values: Floats, groups: npt.NDArray[np.int64]) -> Floats:
    """Means of the rows of each group, column by column, of what is there; NaN where nothing is."""
    belongs = np.equal.outer(np.arange(groups.max(initial=-1) + 1), groups).astype(float)
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means: Floats = (belongs @ np.where(there, values, 0)) / (belongs @ there)
    return means


def _rounding(values: Floats) -> float:
    """The standard deviation that rounding alone gives a difference: scores of few images come in steps.

    Without it, three equal differences by chance would have no spread and count as proof. The step is the least distance
    of two values that differ, which is next to nothing where scores do not come in steps.
    """
    steps = np.diff(np.unique(values[np.isfinite(values)]))
    return float(steps.min()) / math.sqrt(6) if len(steps) else 0.0

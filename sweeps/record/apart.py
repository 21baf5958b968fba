"""Which methods an evaluation tells apart, what it could have told, and how much more would be needed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from sweeps.plan import BASELINES, FLOOR, UNTOUCHED
from sweeps.record.commands import extending
from sweeps.record.once import once
from sweeps.record.record import SweepRecord
from sweeps.record.rounding import score_rounding
from sweeps.record.statistics import LEAST_UNITS, LEVEL, Pairs, least_difference, units_needed

__all__ = [
    "BASELINES",
    "FLOOR",
    "UNIT_LEVELS",
    "UNTOUCHED",
    "Apart",
    "BesideOriginal",
    "Rival",
    "beside_original",
    "command_for",
    "draws_vary",
    "evaluations",
    "forget_sets",
    "groups_in_common",
    "in_common",
    "told_apart",
    "unit_of",
]

#: What tells the runs of one method and forget size apart, the outer first.
UNIT_LEVELS = ("training", "draw", "run")

Unit = Literal["forget set", "run", "training"]
#: Which key of the spec adds such units.
KEYS: dict[Unit, str] = {
    "forget set": "evaluation.seeds",
    "run": "evaluation.seeds",
    "training": "evaluation.trainings",
}


@dataclass(frozen=True)
class Rival:
    """A method beside the best one.

    Attributes:
        difference: its score less the best one's, mean over the units shared; spread: the standard deviation over them.
        p: of the paired t-test, Holm-adjusted over all pairs.
        apart: whether it is told from the best at the 5 % level, and worse.
        least: the least true difference that so many units tell at 80 % power; NaN where none could.
        needed: how many units tell the present difference at that power, if it is the true one; None where it is too many.
    """

    method: str
    difference: float
    spread: float
    units: int
    p: float
    apart: bool
    least: float
    needed: int | None

    @property
    def ahead(self) -> bool:
        """Whether it scores less than the best one on the units that both have."""
        return self.difference < -1e-9


@dataclass(frozen=True)
class Apart:
    """A scenario's comparison at the size that methods are compared at, of the score.

    Attributes:
        best: the method of the least mean score.
        unit: what is counted as an independent observation; units: how many the best one has.
        rivals: the others, nearest first.
    """

    scenario: str
    size: int | None
    best: str
    unit: Unit
    units: int
    rivals: tuple[Rival, ...]

    @property
    def apart(self) -> list[str]:
        """Methods that are told from the best, and worse."""
        return [r.method for r in self.rivals if r.apart]

    @property
    def not_apart(self) -> list[str]:
        """The others."""
        return [r.method for r in self.rivals if not r.apart]

    @property
    def tested(self) -> list[Rival]:
        """Those that share enough units with the best for anything to be told."""
        return [r for r in self.rivals if r.units >= LEAST_UNITS]

    @property
    def untested(self) -> list[str]:
        """The others."""
        return [r.method for r in self.rivals if r.units < LEAST_UNITS]

    @property
    def ahead(self) -> list[str]:
        """Methods that score less than the best one on the units that both have: its mean is the least for others alone."""
        return [r.method for r in self.rivals if r.ahead]

    @property
    def next_told(self) -> Rival | None:
        """The rival not yet told from the best that needs the fewest units; None where none can be counted."""
        waiting = [r for r in self.rivals if not r.apart and r.needed is not None]
        return min(waiting, key=lambda r: r.needed or 0, default=None)

    @property
    def key(self) -> str:
        """The key of the spec that adds units."""
        return KEYS[self.unit]


@dataclass(frozen=True)
class BesideOriginal:
    """A scenario's methods beside the original, of which nothing is unlearned: of the score, at one size.

    Attributes:
        mean, spread: of the original's own scores, with their standard deviation; runs: how many these are.
        unit: what is counted as an independent observation; units: how many of them a method shares with it at most.
        untested: why no method can be told from it, in words; empty where they are tested.
        better, worse: methods that are told from it at the 5 % level, by paired t-tests of each method with it, Holm-adjusted.
        not_apart: the others.
    """

    scenario: str
    size: int | None
    mean: float
    spread: float
    runs: int
    unit: Unit
    units: int
    untested: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    not_apart: tuple[str, ...]

    @property
    def told(self) -> dict[str, tuple[str, ...]]:
        """Methods by what is told of them beside it."""
        return {
            "told to be better": self.better,
            "told to be worse": self.worse,
            "not told apart from it": self.not_apart,
        }

    @property
    def key(self) -> str:
        """The key of the spec that adds units."""
        return KEYS[self.unit]


def command_for(record: SweepRecord, apart: Apart, rival: Rival, more: int) -> str:
    """The command that adds evaluations until the best method shares so many more units with a rival.

    Those on which either has failed for good are asked for beside them, and no fewer than are planned.
    """
    asked = record.spec.get("evaluation") or {}
    units, runs = rival.units + more + _lost(record, apart, rival), int(asked.get("runs") or 1)
    planned = int(asked.get(apart.key.removeprefix("evaluation.")) or 1)
    return extending(record, apart.key, max(planned, -(-units // runs) if apart.unit == "run" else units))


def _lost(record: SweepRecord, apart: Apart, rival: Rival) -> int:
    """How many units the best method and a rival do not share because one of them has failed there for good."""
    trials = record.counted
    rows = trials[(trials["stage"] == "evaluation") & (trials["scenario"] == apart.scenario)]
    rows = _numbered(record, apart.scenario, rows if apart.size is None else rows[rows["forget_size"] == apart.size])
    levels = ["training"] if apart.unit == "training" else ["training", "draw"]

    def units(method: str, state: str) -> set[tuple[int, ...]]:
        own = rows[(rows["method"] == method) & (rows["state"] == state)]
        return set(own[levels].itertuples(index=False, name=None))

    failed = units(apart.best, "FAIL") | units(rival.method, "FAIL")
    return len(failed - (units(apart.best, "COMPLETE") & units(rival.method, "COMPLETE")))


@once
def evaluations(record: SweepRecord, scenario: str, baseline: str | None = None) -> pd.DataFrame:
    """Completed evaluation trials with a `score` column, one per method, forget size, training, draw and run.

    Of the methods that compete; or of one of `BASELINES` instead. The score is the trial's value. The draw is the
    forget set's seed; where all forget sets are one, each run counts as a draw of its own.
    """
    trials = record.trials
    mine = (trials["stage"] == "evaluation") & (trials["scenario"] == scenario) & (trials["state"] == "COMPLETE")
    rows = trials[mine & ~trials["requeued"] & ~trials["superseded"]]
    rows = _numbered(record, scenario, rows).assign(score=rows["value"].astype(float))
    rows = rows[~rows["method"].isin(BASELINES) if baseline is None else rows["method"] == baseline]
    keys = ["method", "forget_size", *UNIT_LEVELS]
    return rows.sort_values("number").drop_duplicates(keys, keep="last")


def _numbered(record: SweepRecord, scenario: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Trials with the numbers of their training, draw and run there."""
    training, draw, run = (_numbers(rows, name) for name in ("training", "forget_seed", "run"))
    if not draws_vary(record, scenario):
        draw, run = draw * (run.max() + 1 if len(run) else 1) + run, run * 0
    return rows.assign(training=training, draw=draw, run=run)


def draws_vary(record: SweepRecord, scenario: str) -> bool:
    """Whether the seeds of a scenario's forget sets give different sets; older sweeps did not keep it of their scenarios."""
    settings = record.spec.get("scenarios", {}).get(scenario) or {}
    kind = settings.get("scenario") or scenario
    return record.draws_vary.get(scenario, True) and kind != "full_class"


def in_common(record: SweepRecord, scenario: str, size: int | None) -> float | None:
    """The share of its samples that a forget set of the evaluation has in common with the first of its size, on average, 0 … 1.

    None where all are one set, there is but one, or an older version did not keep it.
    """
    return groups_in_common(record, scenario, size).get("")


def groups_in_common(record: SweepRecord, scenario: str, size: int | None) -> dict[str, float]:
    """The same of all samples (under ""), and of each group of them, as far as it is known."""
    if not draws_vary(record, scenario):
        return {}
    rows = pd.concat([evaluations(record, scenario), evaluations(record, scenario, FLOOR)])
    rows = rows[rows["forget_size"] == size].drop_duplicates(["training", "draw"])
    shares = {
        str(c).removeprefix("in_first").removeprefix("."): rows[c] for c in rows if str(c).split(".")[0] == "in_first"
    }
    means = {name: share.astype(float).mean() for name, share in shares.items()}
    return {name: float(mean) for name, mean in means.items() if not pd.isna(mean)}


def forget_sets(rows: pd.DataFrame) -> int:
    """On how many forget sets, each with a seed of its own, these trials of one method and size ran."""
    return len(pd.DataFrame({name: _numbers(rows, name) for name in ("training", "forget_seed")}).drop_duplicates())


def unit_of(record: SweepRecord, scenario: str, trainings: Sequence[object] | pd.Series[int]) -> Unit:
    """What varies between the independent observations of an evaluation on these trainings."""
    if len(set(trainings)) > 1:
        return "training"
    return "forget set" if draws_vary(record, scenario) else "run"


@once
def told_apart(record: SweepRecord, scenario: str) -> Apart | None:
    """The comparison of a scenario's methods; None where no method was evaluated."""
    size = record.shown_size(scenario)
    trials = _scored(evaluations(record, scenario), size)
    if not len(trials):
        return None
    samples = trials.pivot(index=list(UNIT_LEVELS), columns="method", values="score")
    means = samples.mean().round(9)
    best = str(min(means.index, key=lambda m: (means[m], m)))
    pairs = Pairs.of(samples, score_rounding(record, trials))
    unit = unit_of(record, scenario, list(trials["training"]))
    own = trials[trials["method"] == best]
    units = own["training"].nunique() if unit == "training" else own["draw"].nunique()
    order = sorted((str(m) for m in means.index if m != best), key=lambda m: (means[m], m))
    against = pairs.against(best).to_dict("index")
    rivals = tuple(_rival(m, against[m], pairs.next_level) for m in order)
    return Apart(scenario, None if size is None else int(size), best, unit, int(units), rivals)


@once
def beside_original(record: SweepRecord, scenario: str, size: int | None = None) -> BesideOriginal | None:
    """Which methods are told from the original; None where it was not evaluated, or no method was.

    Args:
        size: by default the one that methods are compared at.
    """
    size = record.shown_size(scenario) if size is None else size
    methods, original = (_scored(evaluations(record, scenario, which), size) for which in (None, UNTOUCHED))
    if not (len(methods) and len(original)):
        return None
    trials = pd.concat([methods, original])
    samples = trials.pivot(index=list(UNIT_LEVELS), columns="method", values="score")
    against = Pairs.of(samples, score_rounding(record, trials), UNTOUCHED).against(UNTOUCHED)
    unit, units = unit_of(record, scenario, list(trials["training"])), int(against["units"].max())
    untested = "" if units >= LEAST_UNITS else f"on fewer than {LEAST_UNITS} {unit}s nothing is told apart"
    if record.in_hindsight:  # the least of several epochs against the only one
        untested = "it has no epochs to choose from in hindsight, as the methods' scores have"
    told, gain = (against["p"] < LEVEL) & (not untested), against["difference"] < 0
    return BesideOriginal(
        scenario,
        None if size is None else int(size),
        float(original["score"].mean()),
        float(original["score"].std()),
        len(original),
        unit,
        units,
        untested,
        *(tuple(map(str, against.index[which])) for which in (told & gain, told & ~gain, ~told)),
    )


def _scored(trials: pd.DataFrame, size: float | None) -> pd.DataFrame:
    """Those of a size that have a score."""
    return (trials if size is None else trials[trials["forget_size"] == size]).dropna(subset=["score"])


def _rival(method: str, row: Mapping[Hashable, Any], level: float) -> Rival:
    difference, spread, units = float(row["difference"]), float(row["spread"]), int(row["units"])
    apart = bool(row["p"] < LEVEL and difference > 0)
    least = least_difference(spread, units, level)
    needed = LEAST_UNITS if units < LEAST_UNITS else units_needed(max(difference, 0.0), spread, level)
    return Rival(method, difference, spread, units, float(row["p"]), apart, least, needed)


def _numbers(rows: pd.DataFrame, name: str) -> pd.Series[int]:
    """A column of whole numbers, 0 where an older version kept none."""
    found = rows[name] if name in rows else pd.Series(0, index=rows.index)
    return found.astype(float).fillna(0).astype(int)

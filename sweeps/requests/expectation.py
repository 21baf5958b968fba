"""What to expect of a request's gaps to an oracle, from the evaluation's forget sets, which stand in for requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import pandas as pd
from scipy.special import stdtrit

from sweeps.objective import Objective
from sweeps.record import SweepRecord, beside_original, in_common, moved_by
from sweeps.record.rounding import entering, objective_in
from sweeps.requests.choice import Configuration, mean_scores
from sweeps.spec.draws import ALIKE
from unlearn.gaps import POINTS, Measures

LEVEL = 0.9
#: How the objective's score is called among the gaps.
SCORE = "score"


@dataclass(frozen=True)
class Interval:
    """A mean, and where one more value of the same kind lies with probability `LEVEL`, if such values are normal."""

    mean: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Expected:
    """What the evaluation says.

    Attributes:
        size: the evaluated size that is nearest to the request's.
        count: how many values the intervals rest on.
        of: what each value is of: a forget set, or a run on the one forget set that the scenario has.
        oracles: to the mean of how many the gaps are: that of three varies less than one of them, and gaps to it are smaller.
        in_common: share of its samples that one of those sets has in common with the first, on average; None where not known.
        best_of: among how many methods these very sets made it the best, which flatters; 1: it was not chosen by them.
        gaps: interval by name, `score` (the objective) first. score_of: the gaps that this one is of.
        original: `score`, the mean of the original as it is at that size, and `method_is`: `better` than that, `worse`, `not told
            apart`, or None where it is not tested; None where the original was not evaluated.
    """

    size: int
    count: int
    of: str
    oracles: int
    in_common: float | None
    best_of: int
    gaps: Mapping[str, Interval]
    score_of: Sequence[str]
    original: Mapping[str, Any] | None


def expected(record: SweepRecord, chosen: Configuration, size: int, *, draws_vary: bool) -> Expected | str:
    """What the evaluation of this very configuration says of a request of `size` samples, or why it says nothing.

    Of the runs on one forget set only the first counts, since a request is served once; where the scenario has but one forget
    set, all of them do.
    """
    if record.in_hindsight:
        return "the sweep's evaluation is in hindsight, and a request is not: it stops at an epoch that is known beforehand"
    winner = record.winners.get(chosen.scenario, {}).get(chosen.method)
    same = winner is None or (winner.hyperparameters, winner.stop_epoch) == (chosen.hyperparameters, chosen.stop_epoch)
    trials = record.at_best("evaluation", chosen.scenario, chosen.method) if winner else _evaluated(record, chosen)
    if not same or not len(trials):
        return "this configuration is not evaluated in the sweep"
    sizes = trials["forget_size"].astype(int)
    nearest = min(sorted(set(sizes)), key=lambda known: abs(math.log(known / size)))
    trials = trials[sizes == nearest].sort_values(["forget_seed", "number"])
    if draws_vary:
        trials = trials.drop_duplicates("forget_seed")
    if len(trials) < 2:
        return f"one forget set of {nearest} samples was evaluated, and at least two are needed: raise evaluation.seeds"
    names = sorted(name for name in map(str, trials) if name.startswith("metric.") and name.endswith("_gap"))
    columns = {SCORE: trials["value"]} | {name.removeprefix("metric."): trials[name] for name in names}
    image = math.hypot(*moved_by(record, trials, {"forget_gap": 100 / nearest}))
    rounding = {SCORE: image / math.sqrt(12)}
    score_of = entering(record, trials, "metric.")
    gaps = {
        name: prediction_interval(
            [float(value) for value in values],
            step=100 / nearest,
            rounding=rounding.get(name, 0.0),
            most=_most(record, name, score_of),
        )
        for name, values in columns.items()
        if values.notna().all()
    }
    of = "forget set" if draws_vary else "run"
    scores = mean_scores(record, chosen.scenario) if nearest == record.shown_size(chosen.scenario) else {}
    best_of = len(scores) if scores and chosen.method == min(scores, key=scores.__getitem__) else 1
    oracles = int(trials["oracles"].max())
    alike = in_common(record, chosen.scenario, nearest)
    return Expected(
        nearest, len(trials), of, oracles, alike, best_of, gaps, score_of, _original(record, chosen, nearest)
    )


def _most(record: SweepRecord, name: str, score_of: Sequence[str]) -> float:
    """The greatest value that a gap, or the score of some, can have, as far as is known."""
    measures, objective = Measures(record.measures), objective_in(record)
    if name == SCORE and objective.name == "tow":
        return 1.0
    gaps = score_of if name == SCORE else [name]
    return 100.0 if all(measures.label(gap).unit == POINTS for gap in gaps) else math.inf


def _original(record: SweepRecord, chosen: Configuration, size: int) -> dict[str, Any] | None:
    beside = beside_original(record, chosen.scenario, size)
    if beside is None:
        return None
    told = {"better": beside.better, "worse": beside.worse, "not told apart": beside.not_apart}
    known = {} if beside.untested else told
    return {
        "score": beside.mean,
        "method_is": next((what for what, methods in known.items() if chosen.method in methods), None),
    }


def comparable(objective: Objective, found: Mapping[str, float], hopes: Expected) -> Mapping[str, Interval]:
    """The intervals that what was found may be held against: a score of other gaps than the evaluation's has none."""
    if objective.counts(found) == list(hopes.score_of):
        return hopes.gaps
    return {name: interval for name, interval in hopes.gaps.items() if name != SCORE}


def sources(hopes: Expected) -> str:
    """What the values are of, with how far the sets repeat each other where that is most of them, and whether they chose."""
    limits = []
    if hopes.in_common is not None and hopes.in_common > ALIKE:
        limits.append(
            f"the first and another have {100 * hopes.in_common:.0f} % in common on average, which may make the interval too "
            "narrow"
        )
    if hopes.best_of > 1:
        limits.append(f"on which it was the best of {hopes.best_of} methods, which flatters")
    named = f" ({'; '.join(limits)})" if limits else ""
    return f"{hopes.count} {hopes.of}s{named}"


def _evaluated(record: SweepRecord, chosen: Configuration) -> pd.DataFrame:
    """The completed evaluation trials, at this stop epoch, of a method of which nothing is searched."""
    trials = record.counted
    mine = (trials["scenario"] == chosen.scenario) & (trials["method"] == chosen.method)
    stop = trials["stop_epoch"]
    there = stop.isna() if chosen.stop_epoch is None else stop == chosen.stop_epoch
    return trials[mine & there & (trials["stage"] == "evaluation") & (trials["state"] == "COMPLETE")]


def prediction_interval(
    values: Sequence[float], level: float = LEVEL, step: float = 0.0, rounding: float = 0.0, most: float = math.inf
) -> Interval:
    """Student's prediction interval for one more value of a normal variable, cut at 0, for gaps are not negative, and at `most`.

    mean ± t(n − 1, (1 + level) / 2) · s · √(1 + 1/n), for n ≥ 2 values.

    Args:
        step: by how much one sample moves a value: where all values are equal, which is no proof that the next will be, one
            sample more or less still lies inside.
        rounding: the least standard deviation that a value has, as one of its parts comes in steps, which may be equal by chance.
    """
    n, mean = len(values), fmean(values)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * max(stdev(values), rounding) * math.sqrt(1 + 1 / n)
    if half < 1e-9:  # equal, but for the rounding of means
        half = step
    return Interval(mean, max(0.0, mean - half), min(most, mean + half))


__all__ = ["LEVEL", "SCORE", "Expected", "Interval", "comparable", "expected", "prediction_interval"]

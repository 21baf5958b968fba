"""How far a sweep is, how fast it goes, and what is best so far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sweeps.record.apart import BASELINES, FLOOR, UNTOUCHED, forget_sets
from sweeps.record.record import SweepRecord

#: Trials that a pace is taken from: so many at least, and the last so many.
FEWEST, MOST = 5, 50
#: Seconds without any trial, beyond the longest of them, after which nobody was at work.
IDLE = 60.0


@dataclass(frozen=True)
class StudyProgress:
    """The trials of one study that count, by how they stand.

    Attributes:
        done: complete, pruned or failed for good.
        score: of a search its best trial's; of a confirmation and an evaluation the winner's mean over the forget sets (at the
            size that methods are compared at); NaN where there is none. spread, runs: the standard deviation over its runs, and
            how many they are. sets: on how many forget sets.
    """

    stage: str
    scenario: str
    method: str
    planned: int
    done: int
    running: int
    pruned: int
    failed: int
    score: float
    spread: float = math.nan
    runs: int = 0
    sets: int = 0

    @property
    def left(self) -> int:
        """Trials that are still to end."""
        return max(0, self.planned - self.done)


def progress(record: SweepRecord) -> Iterator[StudyProgress]:
    """How far each planned study is."""
    trials = record.counted
    of_study = dict(list(trials.groupby(["stage", "scenario", "method"])))
    for (stage, scenario, method), planned in record.planned.items():
        mine = of_study.get((stage, scenario, method), trials.iloc[:0])
        states = mine["state"].value_counts()
        complete, pruned, failed = (int(states.get(state, 0)) for state in ("COMPLETE", "PRUNED", "FAIL"))
        yield StudyProgress(
            stage,
            scenario,
            method,
            planned,
            done=complete + pruned + failed,
            running=int(states.get("RUNNING", 0)),
            pruned=pruned,
            failed=failed,
            **_score(record, (stage, scenario, method), mine[mine["state"] == "COMPLETE"]),
        )


def still_tuning(record: SweepRecord) -> set[str]:
    """Scenarios whose search or confirmation has trials left: what is best there is the best so far."""
    return {s.scenario for s in progress(record) if s.stage in {"search", "confirmation"} and s.left}


def unfinished(record: SweepRecord) -> bool:
    """Whether trials are left that an answer waits for: not searches whose winner was given, nor references as such."""
    unasked = {
        (stage, scenario, method)
        for scenario, found in record.winners.items()
        for method, winner in found.items()
        for stage in ("search", "confirmation")
        if winner.source == "given"
    }
    return any(
        study.left
        for study in progress(record)
        if study.stage != "reference" and (study.stage, study.scenario, study.method) not in unasked
    )


def _score(record: SweepRecord, key: tuple[str, str, str], complete: pd.DataFrame) -> dict[str, Any]:
    """The number that a study comes to, of the very trials that it is the number of."""
    stage, scenario, method = key
    if stage == "search":
        there_is_one = int(len(complete) > 0)
        return {"score": float(complete["value"].min()), "runs": there_is_one, "sets": there_is_one}
    if stage == "confirmation":
        values = record.confirmed_scores(scenario, method)
        sets = len(values)
    elif stage == "evaluation":
        shown = complete[complete["forget_size"] == record.shown_size(scenario)]
        values, sets = shown["value"].astype(float), forget_sets(shown)
    else:  # a grid and references come to no one number
        return {"score": math.nan}
    return {"score": float(values.mean()), "spread": float(values.std()), "runs": len(values), "sets": sets}


def wait_in_vain(studies: Sequence[StudyProgress]) -> bool:
    """Whether all trials left need what has ended without a single completed trial: their method's search or confirmation, all
    oracles of their scenario, or the original."""
    ended = [s for s in studies if s.done and not s.left and not s.done - s.pruned - s.failed]
    references = [s for s in ended if s.stage == "reference"]
    failed = {(s.scenario, s.method) for s in ended if s.stage in {"search", "confirmation"}}
    no_original = any(s.method == UNTOUCHED for s in references)
    no_oracle = {s.scenario for s in references if s.method == FLOOR}
    needs = {"confirmation", "evaluation", "sensitivity"}

    def in_vain(study: StudyProgress) -> bool:
        if study.stage == "reference":
            return False
        tuned = study.stage in needs and (study.scenario, study.method) in failed
        return tuned or no_original or study.scenario in no_oracle

    return all(in_vain(study) for study in studies if study.left)


def leaders(studies: Sequence[StudyProgress]) -> Iterator[StudyProgress]:
    """Of each scenario the study with the least score, at the surest stage that has scores of all its methods, or of any."""
    for scenario in dict.fromkeys(study.scenario for study in studies):
        mine = [s for s in studies if s.scenario == scenario and s.method not in BASELINES]
        stages = [[s for s in mine if s.stage == stage] for stage in ("evaluation", "confirmation", "search")]
        scored = [[s for s in stage if not math.isnan(s.score)] for stage in stages]
        whole = [found for found, stage in zip(scored, stages, strict=True) if found and len(found) == len(stage)]
        if some := [*whole, *filter(None, reversed(scored))]:
            yield min(some[0], key=lambda study: study.score)


@dataclass(frozen=True)
class Pace:
    """How fast the last trials ended.

    Attributes:
        trials: how many these are.
        seconds: from the end of one to the end of the next, on average.
    """

    trials: int
    seconds: float


def pace(record: SweepRecord) -> Pace | None:
    """The pace of the last unlearning trials that ended without a break between them; None of too few.

    References do not count: one that is in the cache takes no time. That they ended tells that somebody was at work.
    """
    ended = record.counted.dropna(subset=["started", "completed"]).sort_values("completed").tail(MOST)
    longest = (ended["completed"] - ended["started"]).max() + pd.Timedelta(seconds=IDLE)
    breaks = np.flatnonzero(ended["completed"].diff() > longest)
    ended = ended[breaks[-1] :] if len(breaks) else ended
    begun = record.counted.loc[record.counted["state"] == "RUNNING", "started"].max()
    if len(ended) and begun - ended["completed"].iloc[-1] > longest:  # of a new driver no trial has ended yet
        return None
    times = ended.loc[ended["stage"] != "reference", "completed"]
    if len(times) < FEWEST or times.iloc[0] == times.iloc[-1]:
        return None
    return Pace(len(times), (times.iloc[-1] - times.iloc[0]).total_seconds() / (len(times) - 1))

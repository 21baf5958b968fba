"""How far a sweep is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sweeps.record.record import SweepRecord


@dataclass(frozen=True)
class StudyProgress:
    """The trials of one study that count, by how they stand.

    Attributes:
        done: complete, pruned or failed for good.
        score: of a search its best trial's; of a confirmation and an evaluation the winner's mean over the forget sets (at the
            size that methods are compared at); NaN where there is none. spread, sets: the standard deviation over them, and how
            many they are.
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


def _score(record: SweepRecord, key: tuple[str, str, str], complete: pd.DataFrame) -> dict[str, Any]:
    """The number that a study comes to, of the very trials that it is the number of."""
    stage, scenario, method = key
    if stage == "search":
        return {"score": float(complete["value"].min()), "sets": int(len(complete) > 0)}
    if stage == "confirmation":
        values = record.confirmed_scores(scenario, method)
    elif stage == "evaluation":
        values = complete.loc[complete["forget_size"] == record.shown_size(scenario), "value"].astype(float)
    else:  # a grid and references come to no one number
        return {"score": math.nan}
    return {"score": float(values.mean()), "spread": float(values.std()), "sets": len(values)}

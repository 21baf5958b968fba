"""How far a sweep is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sweeps.record.record import SweepRecord


@dataclass(frozen=True)
class StudyProgress:
    """The trials of one study that count, by how they stand.

    Attributes:
        done: complete, pruned or failed for good.
        best: the lowest value of a complete trial; NaN where there is none.
    """

    stage: str
    scenario: str
    method: str
    planned: int
    done: int
    running: int
    pruned: int
    failed: int
    best: float

    @property
    def left(self) -> int:
        """Trials that are still to end."""
        return max(0, self.planned - self.done)


def progress(record: SweepRecord) -> Iterator[StudyProgress]:
    """How far each planned study is."""
    trials = record.counted
    for (stage, scenario, method), planned in record.planned.items():
        mine = trials[(trials["stage"] == stage) & (trials["scenario"] == scenario) & (trials["method"] == method)]
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
            best=float(mine.loc[mine["state"] == "COMPLETE", "value"].min()),
        )

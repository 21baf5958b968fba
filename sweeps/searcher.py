"""Ray Tune's search algorithm, on many Optuna studies at once through ask and tell.

Ray's own checkpoints of it are never read: the storage is the only record, and resuming means asking for what is missing.
"""

from __future__ import annotations

import uuid
from typing import Any

from ray.tune.search import Searcher

from sweeps.job import Report
from sweeps.multiplexer import Assignment, Multiplexer
from sweeps.trainable import JOB, REPORT, SLOT


class StudySearcher(Searcher):
    """Hands Ray Tune one trial after another, of whichever study has work, for one worker slot after another.

    Ray Tune gives a waiting trial any idle actor, and then kills the actor that was being started for it: trials shorter than
    an actor's start-up would for ever run on the first actor alone. So each slot has a resource request of its own name, which
    only its own actor matches; a slot gets its next trial when its last one is done, and that trial is asked for beforehand.
    """

    def __init__(self, studies: Multiplexer, shared: dict[str, Any], slots: int) -> None:
        super().__init__()
        self.studies = studies
        self.shared = shared
        self.assignments: dict[str, Assignment] = {}
        self._run = uuid.uuid4().hex[:8]
        self._free = [self._slot_name(number, 0) for number in range(slots)]
        self._slots: dict[str, str] = {}
        self._ahead: Assignment | None = None

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration; None while no slot or no trial is free; FINISHED when no more can come."""
        if self._ahead is None:
            self._ahead = self.studies.next()
        if self._ahead is None:
            return None if self.assignments else Searcher.FINISHED
        if not self._free:
            return None
        assignment, self._ahead = self._ahead, None
        slot = self._free.pop(0)
        self.assignments[trial_id], self._slots[trial_id] = assignment, slot
        return {**self.shared, JOB: assignment.job.dump(), SLOT: slot}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna; without a report the worker died, and its slot gets a new one."""
        assignment = self.assignments.pop(trial_id, None)
        if assignment is None:
            return
        slot = self._slots.pop(trial_id)
        text = None if error or result is None else result.get(REPORT)
        if text is None:
            _, number, generation = slot.rsplit("-", 2)
            slot = self._slot_name(int(number), int(generation) + 1)
        self._free.append(slot)
        self.studies.finish(assignment, None if text is None else Report.load(text))

    def _slot_name(self, number: int, generation: int) -> str:
        return f"sweeps-{self._run}-{number}-{generation}"

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the storage has it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the storage has it."""

    def get_state(self) -> dict[str, Any]:
        """Nothing worth saving."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing was saved."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the storage has it."""

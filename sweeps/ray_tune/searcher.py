"""Ray Tune's search algorithm, on many Optuna studies at once through ask and tell.

Ray's own checkpoints of it are never read: the storage is the only record, and resuming means asking for what is missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune import Callback
from ray.tune.search import Searcher

from sweeps.jobs.job import DIED, Update
from sweeps.ray_tune.slots import Slots
from sweeps.ray_tune.trainable import JOB, REPORT, SLOT
from sweeps.studies.multiplexer import Assignment, Multiplexer


class StudySearcher(Searcher):
    """Hands Ray Tune one trial after another, of whichever study has work, for one worker slot after another.

    Ray Tune gives a waiting trial any idle actor, and then kills the actor that was being started for it: trials shorter than
    an actor's start-up would for ever run on the first actor alone. So each slot has a resource request of its own name, which
    only its own actor matches; a slot gets its next trial when its last one is done, and that trial is asked for beforehand.

    Attributes:
        failure: what went wrong here or in the storage; Ray Tune passes over some errors, so nothing more is served after one.
    """

    def __init__(self, studies: Multiplexer, slots: int) -> None:
        super().__init__()
        self.studies = studies
        self.assignments: dict[str, Assignment] = {}
        self.slots = Slots(slots)
        self.failure: Exception | None = None
        self._slot_of: dict[str, str] = {}
        self._moving: set[str] = set()
        self._deaths: dict[str, str] = {}
        self._overdue: dict[str, str] = {}
        self._waiting: deque[Assignment] = deque()

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration; None while no slot or no trial is free; FINISHED when no more can come."""
        if self.failure is not None:
            return Searcher.FINISHED
        if self.assignments and not self.slots.usable:
            return None  # Ray Tune asks before it starts what it has: whoever comes next is asked for once that runs
        self.look_ahead()
        if not self._waiting:
            return None if self.assignments else Searcher.FINISHED
        slot = self.slots.take()
        if slot is None:
            return None
        assignment = self._waiting.popleft()
        self.assignments[trial_id], self._slot_of[trial_id] = assignment, slot
        return {JOB: assignment.job.dump(), SLOT: slot}

    def look_ahead(self) -> None:
        """Have the next trial ready, if there is one: no worker that becomes free is to wait for the sampler and the storage."""
        if self._waiting or self.failure is not None:
            return
        with self.recorded():
            ahead = self.studies.next()
        if ahead is not None:
            self._waiting.append(ahead)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna; where the worker died its slot gets a new one."""
        assignment = self.assignments.pop(trial_id, None)
        if assignment is None:
            return
        slot = self._slot_of.pop(trial_id)
        if trial_id in self._moving and not error:
            self._moving.discard(trial_id)
            self.slots.unusable(slot)
            self._waiting.appendleft(assignment)
            return
        text = None if error or result is None else result.get(REPORT)
        overdue, death = self._overdue.pop(trial_id, None), self._deaths.pop(trial_id, DIED)
        if text is None:
            report = Update("died", reason=death) if overdue is None else Update("error", reason=overdue)
            self.slots.died(slot)
        else:
            report = Update.load(text)
            self.slots.finished(slot)
        with self.recorded():
            self.studies.finish(assignment, report)

    def died(self, trial_id: str, how: str) -> None:
        """Keep how a trial's worker died, before Ray Tune says that it did."""
        self._deaths[trial_id] = how

    def time_out(self, trial_id: str, reason: str) -> None:
        """Keep why a trial's worker is about to be ended: the trial fails for that, and is not run again."""
        self._overdue[trial_id] = reason

    def move(self, trial_id: str) -> None:
        """Take back a trial that has not begun, when Ray Tune stops it, and give it to another slot."""
        self._moving.add(trial_id)

    def slot_of(self, trial_id: str) -> str | None:
        """The slot of a trial in progress."""
        return self._slot_of.get(trial_id)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Keep the first error that the studies raise."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error
            raise

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


class LookAhead(Callback):
    """Lets a searcher look ahead once a worker has been told of its trial, while that runs."""

    def __init__(self, searcher: StudySearcher) -> None:
        self._searcher = searcher
        self._begun = False

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """The worker hears of it in this very step."""
        self._begun = True

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        if self._begun:
            self._begun = False
            self._searcher.look_ahead()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}

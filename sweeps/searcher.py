"""Ray Tune's search algorithm, on many Optuna studies at once through ask and tell.

Ray's own checkpoints of it are never read: the storage is the only record, and resuming means asking for what is missing.
"""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from sweeps.job import Report
from sweeps.multiplexer import Assignment, Multiplexer
from sweeps.trainable import JOB, REPORT


class StudySearcher(Searcher):
    """Hands Ray Tune one trial after another, of whichever study has work."""

    def __init__(self, studies: Multiplexer, shared: dict[str, Any]) -> None:
        super().__init__()
        self.studies = studies
        self.shared = shared
        self.assignments: dict[str, Assignment] = {}
        self.stopping = False

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration; None while every ready trial is running; FINISHED when no more can come."""
        assignment = None if self.stopping else self.studies.next()
        if assignment is None:
            return None if self.assignments and not self.stopping else Searcher.FINISHED
        self.assignments[trial_id] = assignment
        return {**self.shared, JOB: assignment.job.dump()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna; without a report the worker died."""
        assignment = self.assignments.pop(trial_id, None)
        if assignment is None:
            return
        text = None if error or result is None else result.get(REPORT)
        self.studies.finish(assignment, None if text is None else Report.load(text))

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

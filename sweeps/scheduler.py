"""Ray Tune's scheduler, asking each study's own Optuna pruner; rung state therefore lives in the storage and survives."""

from __future__ import annotations

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from sweeps.job import Report
from sweeps.searcher import StudySearcher
from sweeps.trainable import REPORT


class PrunerScheduler(FIFOScheduler):
    """Starts trials in the order they come; stops one when its study's pruner says so."""

    def __init__(self, searcher: StudySearcher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
        self.searcher = searcher
        self._slots: set[Any] = set()

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Keep this slot's actor for its next trial: Ray Tune would stop it unless that trial were waiting already."""
        slot = trial.placement_group_factory
        if slot not in self._slots:
            self._slots.add(slot)
            tune_controller._actor_cache.increase_max(slot)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Record the epochs of this result first: the pruner decides on what the storage holds."""
        assignment = self.searcher.assignments.get(trial.trial_id)
        if assignment is not None and self.searcher.studies.report(assignment, Report.load(result[REPORT])):
            return str(FIFOScheduler.STOP)
        return str(FIFOScheduler.CONTINUE)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}

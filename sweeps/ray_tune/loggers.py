"""Every trial in TensorBoard or MLflow too: a plain Ray Tune callback that tells the trackers of each.

Ray's own callbacks for them would log a trial's configuration (here a job as JSON) and its results (reports as JSON) under Ray's
trial id. Here a run is named after its Optuna study and number, an epoch is a step, and the end is logged as Optuna was told it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ray.tune import Callback

from sweeps.jobs.job import Update
from sweeps.ray_tune.mlflow import MLflow
from sweeps.ray_tune.runs import Run, numbers
from sweeps.ray_tune.searcher import StudySearcher
from sweeps.ray_tune.tensorboard import TensorBoard
from sweeps.ray_tune.trackers import Guarded, Tracker, echo
from sweeps.ray_tune.trainable import REPORT
from sweeps.signals import postponed
from sweeps.spec import Spec


def make_trackers(spec: Spec, folder: Path) -> list[Tracker]:
    """The trackers that a sweep asks for; most ask for none.

    Args:
        folder: for TensorBoard's event files.

    Raises:
        SweepError: one cannot be used.
    """
    board: list[Tracker] = [TensorBoard(folder)] if spec.logging.tensorboard else []
    return [*board, *([MLflow(spec.logging.mlflow, spec.name)] if spec.logging.mlflow else [])]


class TrialLogger(Callback):
    """Tells trackers of each trial that Ray Tune runs; Ctrl-C waits until they have taken what they are being told."""

    def __init__(self, searcher: StudySearcher, trackers: Iterable[Tracker]) -> None:
        self._searcher = searcher
        self._trackers = [Guarded(tracker) for tracker in trackers]
        self._runs: dict[str, Run] = {}
        self._logged: dict[str, set[int]] = {}

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Taken here, as Ray Tune tells its search algorithm of a trial's end before it tells its callbacks."""
        if assignment := self._searcher.assignments.get(trial.trial_id):
            run = Run(assignment)
            with postponed():
                self._runs[trial.trial_id], self._logged[trial.trial_id] = run, set()
                for tracker in self._trackers:
                    tracker.start(run)

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        if run := self._runs.get(trial.trial_id):
            logged = self._logged[trial.trial_id]  # a tracker takes back nothing: an epoch stays as it was told first
            epochs = {int(e["epoch"]): e for e in Update.load(result[REPORT]).epochs if int(e["epoch"]) not in logged}
            with postponed():
                logged.update(epochs)
                for tracker in self._trackers:
                    tracker.log(run, {epoch: numbers({**e, "epoch": None}) for epoch, e in epochs.items()})

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        with postponed():
            self._logged.pop(trial.trial_id, None)
            if run := self._runs.pop(trial.trial_id, None):
                self._end(run)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.on_trial_complete(iteration, trials, trial)

    def close(self) -> None:
        """End the runs that are cut off with the driver, and say what the trackers have missed."""
        while self._runs:
            self._end(self._runs.popitem()[1])
        for tracker in self._trackers:
            if summary := tracker.summary:
                echo(summary)

    def _end(self, run: Run) -> None:
        for tracker in self._trackers:
            tracker.end(run)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}

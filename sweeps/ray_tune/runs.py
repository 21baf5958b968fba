"""A trial as a logger sees it, and what all loggers have in common."""

from __future__ import annotations

import math
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from ray.tune.logger import LoggerCallback

from sweeps.jobs.job import Report
from sweeps.ray_tune.searcher import StudySearcher
from sweeps.ray_tune.trainable import REPORT
from sweeps.studies.multiplexer import Assignment
from sweeps.studies.retries import INTERRUPTED, requeued
from sweeps.studies.trials import HINDSIGHT, METRICS, draw_params

#: Seconds without another attempt after one has failed: the driver waits for each, and the trials for the driver.
PAUSE = 600.0


@dataclass(eq=False)
class Run:
    """A trial as Ray's callbacks ask for it: its name, its parameters, and a folder of its own.

    Attributes:
        told: the trial as the storage has it, once it has ended.
    """

    assignment: Assignment
    folder: Path
    told: FrozenTrial | None = None

    def __str__(self) -> str:
        return f"{self.assignment.state.plan.name}/{self.assignment.trial.number}"

    @property
    def local_path(self) -> str:
        stage, scenario, method = self.assignment.state.plan.key
        return str(self.folder / stage / scenario / method / str(self.assignment.trial.number))

    def init_local_path(self) -> None:
        """Nothing: TensorBoard's writer makes it."""

    @property
    def place(self) -> dict[str, str]:
        """Which trial it is."""
        plan = self.assignment.state.plan
        facts = {"sweep": plan.sweep, "stage": plan.stage, "scenario": plan.scenario, "method": plan.method}
        attrs = self.assignment.trial.user_attrs
        return facts | {name: str(attrs[name]) for name in ("origin", "retry_of") if name in attrs}

    @property
    def config(self) -> dict[str, Any]:
        """Hyperparameters in true units, the forget set and the run's seed."""
        job = self.assignment.job
        params = {**job.hyperparameters, **draw_params(job.draw), "seed": job.seed}
        return {name: value if isinstance(value, int | float) else str(value) for name, value in params.items()}

    @property
    def evaluated_params(self) -> dict[str, Any]:
        """What TensorBoard's table of hyperparameters shows."""
        return {**self.place, **self.config, "state": self.end[0]}

    @property
    def end(self) -> tuple[str, str]:
        """Optuna's state of the trial, and why it failed."""
        if self.told is None or self.told.state == TrialState.RUNNING:
            return TrialState.FAIL.name, INTERRUPTED
        again = "; run again as a later trial" if requeued(self.told) else ""
        return self.told.state.name, str(self.told.user_attrs.get("fail_reason", "")) + again

    @property
    def result(self) -> tuple[int, dict[str, float]]:
        """The epoch that counts (0 for a reference), and every metric there, the costly ones too; likewise in hindsight."""
        attrs, values = (self.told.user_attrs, self.told.values) if self.told else ({}, None)
        metrics = {f"metric/{name}": value for name, value in attrs.get(METRICS, {}).items()}
        hindsight = {f"hindsight/{name}": value for name, value in attrs.get(HINDSIGHT, {}).items()}
        value = {"value": sum(values) / len(values)} if values else {}
        return int(attrs.get("epoch") or 0), _numbers(
            {**value, **metrics, **hindsight, "seconds": attrs.get("seconds")}
        )


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in values.items() if isinstance(v, int | float) and math.isfinite(v)}


class StudyLogger(LoggerCallback):
    """What both have in common: which run a Ray trial is, and that no failure of theirs is the sweep's."""

    name: str
    searcher: StudySearcher
    folder: Path

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._runs: dict[str, Any] = {}
        self._not_before = -math.inf
        self._warned = False

    def follow(self, searcher: StudySearcher, folder: Path) -> None:
        """Log the trials of `searcher`; files go to `folder`."""
        self.searcher, self.folder = searcher, folder

    def setup(self, *args: Any, **info: Any) -> None:
        """Nothing: it is done before Ray starts, so that an error is the user's to see."""

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Taken here, as Ray Tune tells its search algorithm of a trial's end before it tells its callbacks."""
        if assignment := self.searcher.assignments.get(trial.trial_id):
            self._try(partial(self._start, trial.trial_id, Run(assignment, self.folder)))

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        if run := self._runs.get(trial.trial_id):
            epochs = Report.load(result[REPORT]).epochs
            self._try(partial(self.log_epochs, run, {int(e["epoch"]): _numbers({**e, "epoch": None}) for e in epochs}))

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if run := self._runs.get(trial.trial_id):
            self._try(partial(self._end, run))
            del self._runs[trial.trial_id]  # not where Ctrl-C came in between: `close` then ends it

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.on_trial_complete(iteration, trials, trial)

    def close(self) -> None:
        """End the runs that are cut off with the driver."""
        while self._runs:
            self._try(partial(self._end, self._runs.popitem()[1]))

    def log_epochs(self, run: Run, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Log the score and metrics of some epochs."""
        raise NotImplementedError

    def _start(self, trial_id: str, run: Any) -> None:
        self.log_trial_start(run)
        self._runs[trial_id] = run

    def _end(self, run: Any) -> None:
        trial = run.assignment.trial
        run.told = trial.storage.get_trial(trial._trial_id)
        self.log_trial_end(run)

    def _try(self, log: Callable[[], None]) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            log()
        except Exception as error:  # whatever it is, it is no trial's fault
            self._not_before = time.monotonic() + PAUSE
            if not self._warned:
                self._warned = True
                print(
                    f"{self.name}: a trial could not be logged: {in_short(error)}\n"
                    f"  the sweep goes on; {self.name} misses trials, and is tried again every {PAUSE / 60:.0f} minutes",
                    file=sys.stderr,
                    flush=True,
                )

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}


def in_short(error: Exception) -> str:
    """An error in a line."""
    return textwrap.shorten(str(error), 500) or type(error).__name__

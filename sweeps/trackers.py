"""TensorBoard and MLflow through Ray Tune's own callbacks, which are told each trial as the storage knows it.

By themselves they would log a trial's configuration (here a job as JSON) and its results (reports as JSON) under Ray's trial id.
Here a run is named after its Optuna study and number, an epoch is a step, and the end is logged as Optuna was told it.
"""

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
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.logger import LoggerCallback, TBXLoggerCallback

from sweeps.errors import SweepError
from sweeps.job import Report
from sweeps.multiplexer import Assignment
from sweeps.retries import INTERRUPTED, requeued
from sweeps.searcher import StudySearcher
from sweeps.spec import Spec
from sweeps.store import NOT_METRICS
from sweeps.studies import draw_params
from sweeps.trainable import REPORT

#: Seconds without another attempt after one has failed: the driver waits for each, and the trials for the driver.
PAUSE = 600.0
#: MLflow's words for how a trial ended.
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


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
        """The best epoch (0 for a reference), and every metric there, the costly ones too."""
        attrs, values = (self.told.user_attrs, self.told.values) if self.told else ({}, None)
        known = {*NOT_METRICS, *attrs.get("hyperparameters", {})}
        best = {f"best/{name}": value for name, value in attrs.items() if name not in known}
        value = {"value": sum(values) / len(values)} if values else {}
        return int(attrs.get("best_epoch") or 0), _numbers({**value, **best, "seconds": attrs.get("seconds")})


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
                    f"{self.name}: a trial could not be logged: {_in_short(error)}\n"
                    f"  the sweep goes on; {self.name} misses trials, and is tried again every {PAUSE / 60:.0f} minutes",
                    file=sys.stderr,
                    flush=True,
                )

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}


class EventFile:
    """A TensorBoard event file, written at once: tensorboardX's writer has a thread, and hangs when that dies (a full disk)."""

    def __init__(self, folder: str, **options: Any) -> None:
        from tensorboardX.event_file_writer import EventsWriter  # noqa: PLC0415  # not everyone has it

        Path(folder).mkdir(parents=True, exist_ok=True)
        self._file = EventsWriter(f"{folder}/events")

    def add(self, summary: Any, step: int) -> None:
        """Write one value; readers see it after `flush`."""
        from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415  # not everyone has it

        self._file.write_event(Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class TensorBoardLogger(StudyLogger, TBXLoggerCallback):
    """Event files in `<folder>/<stage>/<scenario>/<method>/<number>`."""

    name = "TensorBoard"

    def __init__(self) -> None:
        super().__init__()
        self._summary_writer_cls = EventFile

    def log_epochs(self, run: Any, epochs: Mapping[int, Mapping[str, float]]) -> None:
        from tensorboardX.summary import scalar  # noqa: PLC0415  # not everyone has it

        for epoch, values in epochs.items():
            for name, value in values.items():
                self._trial_writer[run].add(scalar(name, value), epoch)
        self._trial_writer[run].flush()

    def log_trial_end(self, run: Any, failed: bool = False) -> None:
        from tensorboardX.summary import hparams, text  # noqa: PLC0415  # not everyone has it

        self.log_epochs(run, dict([run.result]))
        # Ray adds the table's columns, and TensorBoard takes one run's for all: those of one method. Without, it finds them all.
        _, *session = hparams(run.evaluated_params, {})
        for summary in (text("state", ": ".join(filter(None, run.end))), *session):
            self._trial_writer[run].add(summary, 0)
        self._trial_writer[run].close()
        del self._trial_writer[run], self._trial_result[run]


class MLflowLogger(StudyLogger, MLflowLoggerCallback):
    """Runs in the experiment named after the sweep; one request for what belongs together, where Ray's makes one per number."""

    name = "MLflow"

    def __init__(self, spec: Spec) -> None:
        """Connect.

        Raises:
            SweepError: the tracking store cannot be used.
        """
        uri = spec.logging.mlflow
        super().__init__(tracking_uri=uri, experiment_name=spec.name, log_params_on_trial_end=True)
        try:
            MLflowLoggerCallback.setup(self)  # type: ignore[no-untyped-call]  # Ray leaves it untyped
        except Exception as error:  # MLflow raises its own, its database's and its HTTP library's
            raise SweepError(
                f"logging.mlflow must be a tracking URI that works, got {uri!r}: {_in_short(error)}\n"
                "  remedy: start the server, or mend the URI, or go without: --set logging.mlflow=null"
            ) from error

    def log_trial_start(self, run: Any) -> None:
        from mlflow.entities import Param  # noqa: PLC0415  # not everyone has it

        self.tags = {**run.place, "number": str(run.assignment.trial.number)}
        super().log_trial_start(run)
        self._log(run, params=[Param(name, str(value)) for name, value in run.config.items()])

    def log_epochs(self, run: Run, epochs: Mapping[int, Mapping[str, float]]) -> None:
        self._log(run, metrics=_metrics(epochs))

    def log_trial_end(self, run: Any, failed: bool = False) -> None:
        from mlflow.entities import RunTag  # noqa: PLC0415  # not everyone has it

        state, reason = run.end
        tags = {"state": state, "fail_reason": reason[-4000:]}  # MLflow takes no more than 5000 characters
        self._log(run, metrics=_metrics(dict([run.result])), tags=[RunTag(k, v) for k, v in tags.items() if v])
        self._client.set_terminated(self._trial_runs[run], "KILLED" if reason == INTERRUPTED else STATUS[state])
        del self._trial_runs[run]

    def _log(self, run: Run, **what: Any) -> None:
        self._client.log_batch(self._trial_runs[run], **what)

    @property
    def _client(self) -> Any:
        return self.mlflow_util._get_client()


def _metrics(epochs: Mapping[int, Mapping[str, float]]) -> list[Any]:
    from mlflow.entities import Metric  # noqa: PLC0415  # not everyone has it

    now = int(time.time() * 1000)
    return [Metric(name, value, now, epoch) for epoch, values in epochs.items() for name, value in values.items()]


def make_loggers(spec: Spec) -> list[StudyLogger]:
    """The loggers that a sweep asks for.

    Raises:
        SweepError: one cannot be used.
    """
    board: list[StudyLogger] = [TensorBoardLogger()] if spec.logging.tensorboard else []
    return [*board, *([MLflowLogger(spec)] if spec.logging.mlflow else [])]


def _in_short(error: Exception) -> str:
    return textwrap.shorten(str(error), 500) or type(error).__name__

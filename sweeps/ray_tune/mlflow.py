"""MLflow runs, one per trial."""

from __future__ import annotations

import os
import time
from typing import Any

from sweeps.errors import SweepError
from sweeps.ray_tune.runs import Run
from sweeps.ray_tune.trackers import Epochs, Tracker, in_short
from sweeps.studies.retries import INTERRUPTED

#: Set before MLflow is imported, where the user has not: few words, and no minutes spent on a server that is gone.
MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
#: MLflow's words for how a trial ended.
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


class MLflow(Tracker):
    """Runs in the experiment named after the sweep; one request for what belongs together."""

    name = "MLflow"

    def __init__(self, uri: str, experiment: str) -> None:
        """Connect.

        Raises:
            SweepError: the tracking store cannot be used.
        """
        for name, value in MLFLOW_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # noqa: PLC0415  # not everyone has it

        self._run_ids: dict[Run, str] = {}
        try:
            self._client = MlflowClient(tracking_uri=uri)
            known = self._client.get_experiment_by_name(experiment)
            self._experiment = known.experiment_id if known else self._client.create_experiment(experiment)
        except Exception as error:  # MLflow raises its own, its database's and its HTTP library's
            raise SweepError(
                f"logging.mlflow must be a tracking URI that works, got {uri!r}: {in_short(error)}\n"
                "  remedy: start the server, or fix the URI, or go without: --set logging.mlflow=null"
            ) from error
        if known and known.lifecycle_stage == "deleted":  # it keeps its name, and takes no run
            raise SweepError(
                f"logging.mlflow must take new runs, but its experiment {experiment!r} was deleted\n"
                "  remedy: restore it there, or purge it (mlflow gc), or go without: --set logging.mlflow=null"
            )

    def start(self, run: Run) -> None:
        from mlflow.entities import Param  # noqa: PLC0415  # not everyone has it

        tags = {**run.tags, "number": str(run.assignment.trial.number)}
        started = self._client.create_run(self._experiment, tags=tags, run_name=str(run))
        self._run_ids[run] = started.info.run_id
        self._log(run, params=[Param(name, str(value)) for name, value in run.params.items()])

    def log(self, run: Run, epochs: Epochs) -> None:
        self._log(run, metrics=_metrics(epochs))

    def end(self, run: Run) -> None:
        from mlflow.entities import RunTag  # noqa: PLC0415  # not everyone has it

        state, reason = run.end
        tags = {"state": state, "fail_reason": reason[-4000:]}  # MLflow takes no more than 5000 characters
        self._log(run, metrics=_metrics(dict([run.result])), tags=[RunTag(k, v) for k, v in tags.items() if v])
        self._client.set_terminated(self._run_ids[run], "KILLED" if reason == INTERRUPTED else STATUS[state])
        del self._run_ids[run]

    def _log(self, run: Run, **what: Any) -> None:
        self._client.log_batch(self._run_ids[run], **what)


def _metrics(epochs: Epochs) -> list[Any]:
    from mlflow.entities import Metric  # noqa: PLC0415  # not everyone has it

    now = int(time.time() * 1000)
    return [Metric(name, value, now, epoch) for epoch, values in epochs.items() for name, value in values.items()]

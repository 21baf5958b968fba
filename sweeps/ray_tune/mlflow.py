"""MLflow runs, one per trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ray.air.integrations.mlflow import MLflowLoggerCallback

from sweeps.errors import SweepError
from sweeps.ray_tune.runs import Run, StudyLogger, in_short
from sweeps.spec import Spec
from sweeps.studies.retries import INTERRUPTED

#: MLflow's words for how a trial ended.
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


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
                f"logging.mlflow must be a tracking URI that works, got {uri!r}: {in_short(error)}\n"
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

"""TensorBoard and MLflow through Ray Tune's own callbacks, which are told each trial as the storage knows it.

By themselves they would log a trial's configuration (here a job as JSON) and its results (reports as JSON) under Ray's trial id.
Here a run is named after its Optuna study and number, an epoch is a step, and the end is logged as Optuna was told it.
"""

from __future__ import annotations

from sweeps.ray_tune.mlflow import MLflowLogger
from sweeps.ray_tune.runs import StudyLogger
from sweeps.ray_tune.tensorboard import TensorBoardLogger
from sweeps.spec import Spec


def make_loggers(spec: Spec) -> list[StudyLogger]:
    """The loggers that a sweep asks for.

    Raises:
        SweepError: one cannot be used.
    """
    board: list[StudyLogger] = [TensorBoardLogger()] if spec.logging.tensorboard else []
    return [*board, *([MLflowLogger(spec)] if spec.logging.mlflow else [])]

"""Ray's own insides, where there is no public way."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import ray._private.worker as printer
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.experiment import Trial


@contextlib.contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Keep Ray's own words from the user's screen unless asked for."""
    if verbose:
        yield
        return
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.data")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    prints = printer.print_to_stdstream
    printer.print_to_stdstream = lambda *args, **kwargs: None  # "(raylet) A worker died …", on stdout
    try:
        yield
    finally:
        printer.print_to_stdstream = prints
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def any_death_is_survived() -> Iterator[None]:
    """Let Ray Tune take whatever ends a worker as that worker's death.

    By itself it knows a dead actor only: where Ray kills a worker for want of memory, or loses an object with a node, the error
    is of another type, and the whole experiment breaks off.
    """
    ray_manager: Any = RayActorManager
    original = ray_manager._actor_task_failed

    def failed(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        original(manager, tracked_actor_task, exception)

    ray_manager._actor_task_failed = failed
    try:
        yield
    finally:
        ray_manager._actor_task_failed = original


def keep_actor(tune_controller: Any, slot: Any) -> None:
    """Keep one more actor with the resources of `slot` between its trials."""
    tune_controller._actor_cache.increase_max(slot)


def forget_finished(tune_controller: Any) -> set[Trial]:
    """Let go of trials that are over, and return them: Ray Tune would keep each, with all that it last said, to the end."""
    finished = {trial for trial in tune_controller._trials if trial.is_finished()}
    tune_controller._trials[:] = [trial for trial in tune_controller._trials if trial not in finished]
    for kept in ("_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache"):
        getattr(tune_controller, kept).difference_update(finished)
    return finished

"""Runs a plan: one Ray Tune experiment over all its studies, on this machine or a cluster; started again, it resumes."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.multiplexer import Multiplexer
from sweeps.spec import Spec

#: Set before ray is imported. Ray would otherwise rebuild the environment per worker under `uv run`, write six files a trial,
#: handle signals itself, and snapshot what we never restore.
RAY_ENVIRONMENT = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
}


class Interrupted(BaseException):
    """The user (SIGINT) or the system (SIGTERM) asked the driver to stop."""


@dataclass(frozen=True)
class Places:
    """Where a sweep reads and writes."""

    folder: Path
    storage: str
    cache: Path


def workers_of(spec: Spec, available: Mapping[str, float] | None = None) -> int:
    """How many trials run at once: as asked, else as many as the CPUs and GPUs hold.

    Args:
        available: CPUs and GPUs of a running cluster, as Ray counts them; this machine's own by default.
    """
    resources = spec.resources
    if resources.workers is not None:
        return resources.workers
    if available is None:
        available = {"CPU": len(os.sched_getaffinity(0))}
        if resources.gpus_per_trial:
            import torch  # noqa: PLC0415

            available["GPU"] = torch.cuda.device_count()
    fits = [available.get("CPU", 0) / resources.cpus_per_trial]
    if resources.gpus_per_trial:
        fits.append(available.get("GPU", 0) / resources.gpus_per_trial)
    return max(1, int(min(fits)))


def run_studies(
    studies: Multiplexer,
    cache: Path,
    *,
    ray_address: str | None = None,
    verbose: bool = False,
    trainable: type | None = None,
) -> None:
    """Run every missing trial of `studies`; returns when nothing more can be run.

    Args:
        trainable: the Ray Tune class that does the jobs; `UnlearningTrainable` by default.

    Raises:
        Interrupted: SIGINT or SIGTERM came; what was in flight is queued again by the next run.
        SweepError: Ray could not be started or reached.
    """
    if studies.done:
        return
    os.environ.update(RAY_ENVIRONMENT)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\..*")
    import ray  # noqa: PLC0415  # after the environment is set
    from ray import tune  # noqa: PLC0415

    from sweeps.scheduler import PrunerScheduler  # noqa: PLC0415
    from sweeps.searcher import StudySearcher  # noqa: PLC0415
    from sweeps.trainable import CACHE, SLOT, SPEC, UnlearningTrainable  # noqa: PLC0415

    spec = studies.spec
    bundle = {"CPU": spec.resources.cpus_per_trial, "GPU": spec.resources.gpus_per_trial}

    def resources_of(config: dict[str, Any]) -> Any:
        return tune.PlacementGroupFactory([bundle], name=config[SLOT])

    with _signals(), _quiet(verbose), tempfile.TemporaryDirectory(prefix="sweeps-ray-") as scratch:
        _start_ray(ray, spec, ray_address, verbose)
        cluster: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
        slots = workers_of(spec, cluster)
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots)
        searcher = StudySearcher(studies, {SPEC: json.dumps(spec.dump()), CACHE: str(cache)}, slots)
        try:
            tune.Tuner(
                tune.with_resources(trainable or UnlearningTrainable, resources_of),
                tune_config=tune.TuneConfig(
                    search_alg=searcher,
                    scheduler=PrunerScheduler(searcher),
                    num_samples=2**31,
                    reuse_actors=True,
                    trial_name_creator=lambda trial: str(trial.trial_id),
                    trial_dirname_creator=lambda trial: str(trial.trial_id),
                ),
                run_config=tune.RunConfig(
                    name=spec.name,
                    storage_path=scratch,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=0),
                ),
            ).fit()
        finally:
            ray.shutdown()


def _start_ray(ray: Any, spec: Spec, address: str | None, verbose: bool) -> None:
    quiet = {"logging_level": logging.INFO if verbose else logging.CRITICAL, "log_to_driver": verbose}
    try:
        if address is not None:
            ray.init(address=address, **quiet)
            return
        workers = workers_of(spec)
        ray.init(
            address="local",
            num_cpus=max(1, round(workers * spec.resources.cpus_per_trial)),
            include_dashboard=False,
            **quiet,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise SweepError(f"Ray could not be started or reached at {address or 'local'}: {error}") from error


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Interrupted` in the main thread."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _quiet(verbose: bool) -> Iterator[None]:
    """Keep Ray's own words from the user's screen unless asked for."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.data")]
    levels = [logger.level for logger in loggers]
    if not verbose:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

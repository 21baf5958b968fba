"""Runs a plan: one Ray Tune experiment over all its studies, on this machine or a cluster; started again, it resumes."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import signal
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeps.cache import Cache
from sweeps.errors import SweepError
from sweeps.multiplexer import Multiplexer
from sweeps.spec import Spec
from sweeps.storage import told_of_storage

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
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",  # else Ray Tune itself runs such a trial again, behind our back
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
#: Likewise for MLflow, where the user has not set it: few words, and no minutes spent on a server that is gone.
MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class Interrupted(KeyboardInterrupt):
    """The user (SIGINT) or the system (SIGTERM) asked the driver to stop."""


def bundle_of(spec: Spec) -> dict[str, float]:
    """What one trial takes, as Ray names it."""
    resources = spec.resources
    bundle = {**resources.custom, "CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    return {name: amount for name, amount in bundle.items() if amount}


def workers_of(spec: Spec, nodes: Iterable[Mapping[str, float]] | None = None) -> int:
    """How many trials run at once: as asked, else as many as the nodes hold.

    Args:
        nodes: what each node of a running cluster has; this machine by default.
    """
    return spec.resources.workers or max(1, _places(spec, nodes or [_this_machine(spec)]))


def _places(spec: Spec, nodes: Iterable[Mapping[str, float]]) -> int:
    bundle = bundle_of(spec)
    return sum(int(min(node.get(name, 0) / amount + 1e-9 for name, amount in bundle.items())) for node in nodes)


def _this_machine(spec: Spec) -> dict[str, float]:
    machine = dict.fromkeys(spec.resources.custom, math.inf) | {"CPU": len(os.sched_getaffinity(0))}
    if spec.resources.gpus_per_trial:
        import torch  # noqa: PLC0415  # only where GPUs are asked for

        machine["GPU"] = torch.cuda.device_count()
    return machine


def run_studies(
    studies: Multiplexer,
    cache: Cache,
    *,
    folder: Path = Path(),
    ray_address: str | None = None,
    verbose: bool = False,
    trainable: type | None = None,
) -> None:
    """Run every missing trial of `studies`; returns when nothing more can be run.

    Args:
        folder: the sweep's own, for what its loggers write.
        trainable: the Ray Tune class that does the jobs; `UnlearningTrainable` by default.

    Raises:
        Interrupted: SIGINT or SIGTERM came; what was in flight is queued again by the next run.
        SweepError: Ray could not be started or reached, a logger not used, or the storage or the cache failed.
    """
    if studies.done:
        return
    os.environ.update(RAY_ENVIRONMENT)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\..*")
    import ray  # noqa: PLC0415  # after the environment is set
    from ray import tune  # noqa: PLC0415  # likewise, and what imports it

    from sweeps.scheduler import NoProgress, PrunerScheduler, any_death_is_survived  # noqa: PLC0415
    from sweeps.searcher import StudySearcher  # noqa: PLC0415
    from sweeps.trainable import CACHE, FOLDER, IDENTITY, SLOT, SPEC, UnlearningTrainable  # noqa: PLC0415

    spec = studies.spec
    assert cache.identity, "the cache is prepared before the run"
    shared = {SPEC: json.dumps(spec.dump()), CACHE: cache.place, IDENTITY: cache.identity, FOLDER: str(Path.cwd())}

    def resources_of(config: dict[str, Any]) -> Any:
        return tune.PlacementGroupFactory([bundle_of(spec)], name=config[SLOT])

    with (
        interruptible() as signals,
        _quiet(verbose),
        any_death_is_survived(),
        tempfile.TemporaryDirectory(prefix="sweeps-ray-") as scratch,
    ):
        loggers = _loggers(spec)
        try:
            slots = _start_ray(ray, spec, ray_address, verbose)
            signals.take_over()  # Ray has set its own
            os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots)
            searcher = StudySearcher(studies, shared, slots)
            for logger in loggers:
                logger.follow(searcher, folder / "tensorboard")
            tuner = tune.Tuner(
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
                    callbacks=[NoProgress(), *loggers],
                ),
            )
            _fit(tuner, searcher)
        finally:
            signals.ignore()  # a second Ctrl-C must not leave Ray's processes behind
            ray.shutdown()
            for logger in loggers:
                logger.close()


def _loggers(spec: Spec) -> list[Any]:
    """Ray Tune's callbacks that the sweep asks for; most ask for none, and then nothing is imported for them."""
    if not (spec.logging.tensorboard or spec.logging.mlflow):
        return []
    for name, value in MLFLOW_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from sweeps.trackers import make_loggers  # noqa: PLC0415  # after the environment is set

    return list(make_loggers(spec))


def _fit(tuner: Any, searcher: Any) -> None:
    """Run to the end; what failed in the studies is what is raised, not what Ray Tune made of it."""
    with told_of_storage():
        try:
            tuner.fit()
        except (
            Exception
        ):  # whatever Ray Tune raises; where the studies failed first, that is the cause and is raised below
            if searcher.failure is None:
                raise
        if searcher.failure is not None:
            raise searcher.failure


def _start_ray(ray: Any, spec: Spec, address: str | None, verbose: bool) -> int:
    """Start or reach Ray; returns how many trials are to run at once.

    Raises:
        SweepError: neither works, or no node can hold one trial.
    """
    options: dict[str, Any] = {
        "logging_level": logging.INFO if verbose else logging.CRITICAL,
        "log_to_driver": verbose,
        "address": address or "local",
    }
    if address is None:
        workers = workers_of(spec)
        options |= {
            "num_cpus": max(1, math.ceil(workers * spec.resources.cpus_per_trial)),
            "resources": {name: amount * workers for name, amount in spec.resources.custom.items()},
            "include_dashboard": False,
        }
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise SweepError(
            f"Ray could not be started or reached at {address or 'local'}: {error}\n"
            "  remedy: start the driver on a node of the cluster with --ray-address auto; see docs/cluster.md"
        ) from error
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not _places(spec, nodes) and (address is None or spec.resources.workers is None):
        has = "; ".join(", ".join(f"{k} {v:g}" for k, v in sorted(n.items()) if ":" not in k) for n in nodes)
        raise SweepError(
            f"resources: one node must hold a whole trial, {bundle_of(spec)}, but the nodes have: {has}\n"
            "  remedy: ask for less per trial, or (where the cluster grows by itself) say resources.workers"
        )
    return workers_of(spec, nodes)


class _Signals:
    """What SIGINT and SIGTERM do in the main thread."""

    def __init__(self) -> None:
        self.came: list[str] = []

    def take_over(self) -> None:
        """They raise `Interrupted`."""
        self._set(self._interrupt)

    def ignore(self) -> None:
        """They are noted, no more."""
        self._set(lambda number, frame: self.came.append(signal.Signals(number).name))

    def _interrupt(self, number: int, frame: object) -> None:
        self.came.append(signal.Signals(number).name)
        raise Interrupted(self.came[-1])

    def _set(self, handler: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[_Signals]:
    """SIGINT and SIGTERM raise `Interrupted` in the main thread."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signals = _Signals()
    signals.take_over()
    try:
        yield signals
    except Interrupted:
        raise
    except (KeyboardInterrupt, Exception) as error:  # Ray's compiled code turns ours into one of its own
        if not signals.came and not isinstance(error, KeyboardInterrupt):
            raise
        raise Interrupted(signals.came[0] if signals.came else "SIGINT") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _quiet(verbose: bool) -> Iterator[None]:
    """Keep Ray's own words from the user's screen unless asked for."""
    if verbose:
        yield
        return
    import ray._private.worker as printer  # noqa: PLC0415  # after the environment is set

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

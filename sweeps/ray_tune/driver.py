"""Runs a plan: one Ray Tune experiment over all its studies, on this machine or a cluster; started again, it resumes."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.folder import STORAGE_VARIABLE
from sweeps.jobs.cache import Cache
from sweeps.ray_tune.internals import (
    RAY_ENVIRONMENT,
    actor_errors_as_deaths,
    check,
    fewer_processes,
    job,
    no_progress,
    quiet,
    uncounted,
)
from sweeps.resources import bundle_of, places, workers_of
from sweeps.signals import interruptible
from sweeps.spec import Spec
from sweeps.storage import storage_errors
from sweeps.studies.multiplexer import Multiplexer
from sweeps.temporary import private_folder


def run_studies(
    studies: Multiplexer,
    cache: Cache,
    *,
    folder: Path = Path(),
    ray_address: str | None = None,
    verbose: bool = False,
    trainable: type[Any] | None = None,
) -> None:
    """Run every missing trial of `studies`; returns when nothing more can be run.

    Args:
        folder: for TensorBoard's event files.
        trainable: the Ray Tune class that does the jobs; `UnlearningTrainable` by default.

    Raises:
        Interrupted: SIGINT, SIGTERM or SIGHUP came; what was in flight is queued again by the next run.
        SweepError: Ray could not be started or reached, a logger not used, or the storage or the cache failed.
    """
    if studies.done:
        return
    os.environ.update(RAY_ENVIRONMENT)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\..*")
    import ray  # noqa: PLC0415  # after the environment is set
    from ray import tune  # noqa: PLC0415  # likewise, and what imports it

    from sweeps.ray_tune.loggers import TrialLogger, make_trackers  # noqa: PLC0415
    from sweeps.ray_tune.scheduler import PrunerScheduler  # noqa: PLC0415
    from sweeps.ray_tune.searcher import LookAhead, StudySearcher  # noqa: PLC0415
    from sweeps.ray_tune.trainable import CACHE, FOLDER, IDENTITY, SLOT, SPEC, UnlearningTrainable, bound  # noqa: PLC0415

    check("ray")
    spec = studies.spec
    assert cache.identity, "the cache is prepared before the run"
    shared = {SPEC: _for_workers(spec), CACHE: cache.place, IDENTITY: cache.identity, FOLDER: str(Path.cwd())}

    bundle = bundle_of(spec)  # without the spec: Ray Tune unpickles what `resources_of` holds at every trial

    def resources_of(config: dict[str, Any]) -> Any:
        return tune.PlacementGroupFactory([bundle], name=config[SLOT])

    with (
        interruptible() as signals,
        quiet(verbose),
        actor_errors_as_deaths(),
        uncounted(),
        private_folder() as scratch,
    ):
        trackers = make_trackers(spec, folder)  # before Ray starts: an error of theirs is the user's to see
        loggers: list[TrialLogger] = []
        try:
            slots = _start_ray(ray, spec, ray_address, verbose, scratch / "ray")
            signals.take_over()  # Ray has set its own
            os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots)
            searcher = StudySearcher(studies, slots)
            if trackers:
                loggers.append(TrialLogger(searcher, trackers))
            tuner = tune.Tuner(
                tune.with_resources(bound(trainable or UnlearningTrainable, shared), resources_of),
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
                    storage_path=str(scratch / "tune"),
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=0),
                    callbacks=[*no_progress(), *loggers, LookAhead(searcher)],
                ),
            )
            _fit(tuner, searcher)
        finally:
            signals.ignore()  # a second Ctrl-C must not leave Ray's processes behind
            ray.shutdown()
            for logger in loggers:
                logger.close()


def _fit(tuner: Any, searcher: Any) -> None:
    """Run to the end; what failed in the studies is what is raised, not what Ray Tune made of it."""
    with storage_errors():
        try:
            tuner.fit()
        except (
            Exception
        ):  # whatever Ray Tune raises; where the studies failed first, that is the cause and is raised below
            if searcher.failure is None:
                raise
        if searcher.failure is not None:
            raise searcher.failure


def _for_workers(spec: Spec) -> str:
    """What a worker needs of a spec, as JSON; the storage is the driver's alone."""
    dump = spec.dump()
    dump.pop("storage", None)
    return json.dumps(dump)


@contextlib.contextmanager
def _untold(name: str) -> Iterator[None]:
    """Within, processes that are started lack a variable that may hold a password: they run the code of methods."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


def _start_ray(ray: Any, spec: Spec, address: str | None, verbose: bool, folder: Path) -> int:
    """Start or reach Ray; returns how many trials are to run at once.

    Args:
        folder: for the files of a Ray that is started.

    Raises:
        SweepError: neither works, or no node can hold one trial.
    """
    options: dict[str, Any] = {
        "logging_level": logging.INFO if verbose else logging.CRITICAL,
        "log_to_driver": verbose,
        "address": address or "local",
        "job_config": job(),
    }
    if address is None:
        workers = workers_of(spec)
        options |= {
            "num_cpus": max(1, math.ceil(workers * spec.resources.cpus_per_trial)),
            "resources": {name: amount * workers for name, amount in spec.resources.custom.items()},
            "include_dashboard": False,
            "_temp_dir": str(folder),
        }
    try:
        with fewer_processes(logs=verbose), _untold(STORAGE_VARIABLE):
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise SweepError(
            f"Ray could not be started or reached at {address or 'local'}: {error}\n"
            "  remedy: start the driver on a node of the cluster with --ray-address auto; see docs/cluster.md"
        ) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise SweepError(  # Ray says so of processes that did not answer in time
            f"Ray could not be started or reached at {address or 'local'}: {error}\n"
            "  remedy: this machine may be too busy, or short of memory: try again when it is less so"
        ) from error
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not places(spec, nodes) and (address is None or spec.resources.workers is None):
        has = "; ".join(", ".join(f"{k} {v:g}" for k, v in sorted(n.items()) if ":" not in k) for n in nodes)
        raise SweepError(
            f"resources: one node must hold a whole trial, {bundle_of(spec)}, but the nodes have: {has}\n"
            "  remedy: ask for less per trial, or (where the cluster grows by itself) say resources.workers"
        )
    return workers_of(spec, nodes)

"""The one module that reaches names which Ray and tensorboardX do not promise to keep, and what is lost without each.

Of Optuna and MLflow the public names do. Ray is imported late here: `RAY_ENVIRONMENT` is set before.
"""

from __future__ import annotations

import contextlib
import dis
import importlib
import inspect
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sweeps.errors import DeviceLostError, SweepError
from sweeps.jobs.job import DIED

logger = logging.getLogger(__name__)

#: The oldest and the newest release of each that the tests have run with.
TESTED = {"ray": ("2.50.0", "2.60.0"), "tensorboardX": ("2.6.2", "2.6.5")}

#: Set before ray is imported; Ray documents some of these. Under a new name they would do nothing, and Ray would rebuild the
#: environment per worker under `uv run`, write six files a trial, handle signals itself, and snapshot what we never restore.
RAY_ENVIRONMENT = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
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
    "RAY_prestart_worker_first_driver": "0",  # else it starts workers that no trial can take: Ray Tune asks for others
}
#: What Ray says of a worker's death; in other words, only the cause would go unsaid.
OUT_OF_MEMORY_WORDS = ("OutOfMemoryError", "running low on memory")
NODE_DIED_WORDS = ("node has died", "NODE_DIED")
OUT_OF_MEMORY = "the worker died: its node ran out of memory; remedy: fewer resources.workers"

#: What starts a process of a new Ray that nothing here asks for anything: its dashboard (also where that is off), the
#: autoscaler, and who forwards what workers print.
UNASKED = ("start_api_server", "start_monitor")
LOG_MONITOR = "start_log_monitor"

#: Where Ray Tune keeps trials beside its list of all.
KEPT = ("_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache")


@dataclass(frozen=True)
class Name:
    """A name of another package that its authors do not promise to keep.

    Attributes:
        where: the module, and after a colon the class.
        lost: what a run would lose without it.
        needed: whether no run is started without it; else the run only loses that.
    """

    where: str
    name: str
    lost: str
    needed: bool = True

    def __str__(self) -> str:
        return f"{self.where.replace(':', '.')}.{self.name}"

    @property
    def package(self) -> str:
        return self.where.split(".")[0]

    @property
    def exists(self) -> bool:
        module, _, kind = self.where.partition(":")
        try:
            holder = importlib.import_module(module)
        except ImportError:
            return False
        if kind:
            holder = getattr(holder, kind, None)  # type: ignore[assignment]
        return hasattr(holder, self.name) or (inspect.isclass(holder) and self.name in _set_in(holder))


_CONTROLLER = "ray.tune.execution.tune_controller:TuneController"
_IDLE = "the workers that wait between two trials: each trial would start a process"
_MEMORY = "the driver's memory: finished trials are kept to the end"
_EVENTS = "TensorBoard's event files"
_START = "seconds at its start, and memory: processes of Ray's that nothing uses are started too"

NAMES = (
    Name(
        "ray.air.execution._internal.actor_manager:RayActorManager",
        "_actor_task_failed",
        "the run, with the first worker that is killed for want of memory",
    ),
    Name(_CONTROLLER, "_actor_cache", _IDLE),
    Name("ray.tune.utils.object_cache:_ObjectCache", "increase_max", _IDLE),
    *(Name(_CONTROLLER, name, _MEMORY, needed=False) for name in ("_trials", *KEPT)),
    Name(
        "ray.tune.progress_reporter",
        "TrialProgressCallback",
        "speed: Ray Tune's own reporter keeps every trial, and makes a page of each result",
        needed=False,
    ),
    Name(
        "ray.air._internal.usage",
        "tag_callbacks",
        "a second or more before its first trial, where MLflow or W&B is installed: Ray imports them to count who uses them",
        needed=False,
    ),
    *(Name("ray._private.node:Node", name, _START, needed=False) for name in (*UNASKED, LOG_MONITOR)),
    Name(
        "ray.job_config:JobConfig",
        "_py_driver_sys_path",
        "the order in which modules are found: a file in the folder that one types in may hide one from the workers",
        needed=False,
    ),
    Name("ray._private.worker", "print_to_stdstream", "quiet: Ray's lines come between the sweep's", needed=False),
    Name("tensorboardX.event_file_writer:EventsWriter", "write_event", _EVENTS),
    Name("tensorboardX.proto.event_pb2", "Event", _EVENTS),
    *(Name("tensorboardX.summary", name, _EVENTS) for name in ("scalar", "text", "hparams")),
)


def check(package: str) -> None:
    """See that the installed release of a package has what is reached here; what can be done without is said.

    Raises:
        SweepError: it lacks a name that no run can do without.
    """
    lacks = [name for name in NAMES if name.package == package and not name.exists]
    installed, (oldest, newest) = version(package), TESTED[package]
    if needed := [name for name in lacks if name.needed]:
        raise SweepError(
            f"{package} must be a release that has {', '.join(map(str, needed))}, got {installed}; "
            f"without, a sweep loses {'; '.join(dict.fromkeys(name.lost for name in needed))}\n"
            f"  remedy: pip install '{package}>={oldest},<={newest}', the releases that this was tested with"
        )
    for name in lacks:
        logger.warning(
            "%s %s has no %s: the sweep runs, and loses %s (tested with %s to %s)",
            *(package, installed, name, name.lost, oldest, newest),
        )


def _set_in(kind: type) -> set[str]:
    """The attributes that the constructors of a class and its bases set."""
    constructors = (inspect.unwrap(vars(base)["__init__"]) for base in kind.__mro__ if "__init__" in vars(base))
    steps = (step for f in constructors if inspect.isfunction(f) for step in dis.get_instructions(f))
    return {str(step.argval) for step in steps if step.opname == "STORE_ATTR"}


class _First(list[str]):
    """What workers search for modules before Python's own: what this process does.

    Ray adds the folder of the script and the one that one types in, where a file `random.py` would hide Python's module.
    """

    def extend(self, folders: Iterable[str]) -> None:
        found = list(map(os.path.realpath, sys.path))
        python = os.path.realpath(Path(os.__file__).parent)
        before = found[: found.index(python)] if python in found else found
        kept = {folder: before.index(real) for folder in folders if (real := os.path.realpath(folder)) in before}
        super().extend(sorted(kept, key=kept.__getitem__, reverse=True))  # a worker puts each before those it has


def job() -> Any:
    """A job of Ray's whose workers find modules in the order in which this process does."""
    found: Any = importlib.import_module("ray.job_config").JobConfig()
    if hasattr(found, "_py_driver_sys_path"):
        found._py_driver_sys_path = _First()
    return found


@contextlib.contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Keep Ray's own words from the user's screen unless asked for."""
    if verbose:
        yield
        return
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.data")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with _no_printing():
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


@contextlib.contextmanager
def _no_printing() -> Iterator[None]:
    """Without "(raylet) A worker died …" on stdout."""
    try:
        printer: Any = importlib.import_module("ray._private.worker")
        prints = printer.print_to_stdstream
    except (ImportError, AttributeError):
        yield
        return
    printer.print_to_stdstream = lambda *args, **kwargs: None
    try:
        yield
    finally:
        printer.print_to_stdstream = prints


@contextlib.contextmanager
def actor_errors_as_deaths() -> Iterator[None]:
    """Let Ray Tune take whatever ends a worker as that worker's death.

    By itself it knows a dead actor only: where Ray kills a worker for want of memory, or loses an object with a node, the error
    is of another type, and the whole experiment breaks off.
    """
    from ray.air.execution._internal.actor_manager import RayActorManager  # noqa: PLC0415  # after the environment is set
    from ray.exceptions import RayActorError, RayError, RayTaskError  # noqa: PLC0415  # likewise

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


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """Let Ray Tune count no callbacks for usage statistics, which are off: to count, it imports MLflow, W&B, Comet and Aim.

    Each takes a second or more where it is installed, and MLflow writes an id into the home folder and reports its use.
    """
    try:
        usage: Any = importlib.import_module("ray.air._internal.usage")
        counts = usage.tag_callbacks
    except (ImportError, AttributeError):
        yield
        return
    usage.tag_callbacks = lambda callbacks: False
    try:
        yield
    finally:
        usage.tag_callbacks = counts


@contextlib.contextmanager
def fewer_processes(*, logs: bool) -> Iterator[None]:
    """Let a Ray that is started within come without processes that nothing here uses; the driver would wait for one of them.

    Args:
        logs: whether what workers print is to be forwarded.
    """
    try:
        node: Any = importlib.import_module("ray._private.node").Node
    except (ImportError, AttributeError):
        yield
        return
    names = [name for name in (*UNASKED, *(() if logs else (LOG_MONITOR,))) if hasattr(node, name)]
    starts = {name: getattr(node, name) for name in names}
    for name in names:
        setattr(node, name, lambda *args, **kwargs: None)
    try:
        yield
    finally:
        for name, start in starts.items():
            setattr(node, name, start)


def keep_actor(tune_controller: Any, slot: Any) -> None:
    """Keep one more actor with the resources of `slot` between its trials: else it stops unless a trial waits already."""
    tune_controller._actor_cache.increase_max(slot)


def forget_finished(tune_controller: Any) -> set[Any]:
    """Let go of trials that are over, and return them: Ray Tune would keep each, with all that it last said, to the end."""
    try:
        trials, kept = tune_controller._trials, [getattr(tune_controller, name) for name in KEPT]
    except AttributeError:
        return set()
    finished = {trial for trial in trials if trial.is_finished()}
    trials[:] = [trial for trial in trials if trial not in finished]
    for each in kept:
        each.difference_update(finished)
    return finished


def no_progress() -> list[Any]:
    """Callbacks that print nothing: else Ray Tune adds one that keeps every trial, and makes a page of each result."""
    try:
        from ray.tune.progress_reporter import TrialProgressCallback  # noqa: PLC0415  # after the environment is set
    except ImportError:
        return []

    class NoProgress(TrialProgressCallback):
        def on_trial_result(self, *args: Any, **kwargs: Any) -> None: ...

        def on_trial_error(self, *args: Any, **kwargs: Any) -> None: ...

        def on_trial_complete(self, *args: Any, **kwargs: Any) -> None: ...

    return [NoProgress()]


def how_it_died(text: str) -> str:
    """What Ray knows of a worker's death, in a few words."""
    if lost := re.search(rf"{DeviceLostError.__name__}: (.+)", text):
        return lost[1]
    if any(words in text for words in OUT_OF_MEMORY_WORDS):
        return OUT_OF_MEMORY
    return "the worker's node died" if any(words in text for words in NODE_DIED_WORDS) else DIED


def ends_worker(error: SystemExit) -> bool:
    """Whether Ray ends a worker by it (on SIGTERM), and no component does; else a trial would fail for good by the former."""
    return hasattr(error, "ray_terminate_msg")


class EventFile:
    """A TensorBoard event file, written at once: the public writer has a thread, and hangs when that dies (a full disk)."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX.event_file_writer import EventsWriter  # noqa: PLC0415  # not everyone has it

        folder.mkdir(parents=True, exist_ok=True)
        self._file = EventsWriter(str(folder / "events"))

    def scalar(self, name: str, value: float, step: int) -> None:
        """Write a number; readers see it after `flush`."""
        from tensorboardX import summary  # noqa: PLC0415  # not everyone has it

        self._add(summary.scalar(name, value), step)

    def text(self, name: str, text: str) -> None:
        """Write a text."""
        from tensorboardX import summary  # noqa: PLC0415  # not everyone has it

        self._add(summary.text(name, text), 0)

    def hyperparameters(self, values: Mapping[str, Any]) -> None:
        """Write the run's row of the HPARAMS table."""
        from tensorboardX import summary  # noqa: PLC0415  # not everyone has it

        # without the table's columns: TensorBoard takes one run's for all, those of one method; so it finds them all
        _, *session = summary.hparams(dict(values), {})
        for part in session:
            self._add(part, 0)

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left."""
        self._file.close()

    def _add(self, summary: Any, step: int) -> None:
        from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415  # not everyone has it

        self._file.write_event(Event(wall_time=time.time(), step=step, summary=summary))

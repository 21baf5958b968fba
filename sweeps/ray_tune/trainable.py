"""The Ray Tune trainable: a reusable actor in which trial after trial, of any study, finds data and models loaded."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from sweeps.imports import uncollected

with uncollected():
    from ray import tune

from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.job import Job, Update
from sweeps.ray_tune.internals import ends_worker
from sweeps.resources import device_of, threads_for
from unlearn.errors import UnlearnError

REPORT, JOB, SPEC, CACHE, IDENTITY, FOLDER, SLOT = "report", "job", "spec", "cache", "identity", "folder", "slot"

#: Seconds until a network file system shows what another machine has just written.
PATIENCE = 10.0


class UnlearningTrainable(tune.Trainable):
    """One trial is one `Job`; each step is one `Report`. The actor outlives its trials.

    Attributes:
        shared: what all trials share: see `bound`.
    """

    shared: ClassVar[Mapping[str, str]]

    def setup(self, config: dict[str, Any]) -> None:
        with uncollected():
            import torch  # noqa: PLC0415  # only workers need it; the driver that pickles this class does not

        torch.set_num_threads(threads_for(json.loads(self.shared[SPEC])["resources"]["cpus_per_trial"]))
        self._reports = self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._reports = self._start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        try:
            report = next(self._reports)
        except SystemExit as error:
            if ends_worker(error):
                raise
            report = Update("error", reason=traceback.format_exc(limit=-8))  # as of whatever else a method raises
        return {REPORT: report.dump(), "done": report.done}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a trial that is cut off is run again with the same parameters."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing, as nothing is saved."""

    def _start(self, config: dict[str, Any]) -> Iterator[Update]:
        shared = self.shared
        if Path(shared[FOLDER]).is_dir():  # relative paths in a spec are the driver's
            os.chdir(shared[FOLDER])
            if shared[FOLDER] not in sys.path:
                sys.path.append(shared[FOLDER])  # as for who types there: last, so that it hides nothing
        try:
            worker = _worker(shared[SPEC], shared[CACHE], shared[IDENTITY])
        except (SweepError, UnlearnError) as error:  # the data cannot be read here, say
            return iter([Update("stopped", reason=str(error))])
        except Exception:  # not the trial's fault either: the cache cannot be written
            return iter([Update("stopped", reason=traceback.format_exc(limit=-8))])
        reports: Iterator[Update] = worker.run(Job.load(config[JOB]))
        return reports


def bound(trainable: type[UnlearningTrainable], shared: Mapping[str, str]) -> type[UnlearningTrainable]:
    """The trainable with what all its trials share.

    That comes with the class: of a trial's configuration Ray Tune makes a dozen copies and texts, and what it keeps in its object
    store (`tune.with_parameters`) goes with the raylet, after which the driver ends without a word.
    """
    return type(trainable.__name__, (trainable,), {"shared": dict(shared)})


@lru_cache(maxsize=1)
def _worker(spec: str, place: str, identity: str) -> Any:
    """This process's worker, made once for a sweep.

    Raises:
        SweepError: this machine does not see the driver's cache, or torch not its GPUs.
    """
    with uncollected():
        from sweeps.jobs.worker import Worker  # noqa: PLC0415  # likewise
        from sweeps.spec import stored_spec  # noqa: PLC0415  # torch comes with it

    cache = Cache.at(place)
    until = time.monotonic() + PATIENCE
    while cache.url is None and cache.identity != identity:
        if time.monotonic() > until:
            raise SweepError(
                f"node {platform.node()} does not see the driver's cache {place}: "
                "let it be a folder that all nodes share, or a URL (see docs/cluster.md)"
            )
        time.sleep(0.5)
    asked = stored_spec(json.loads(spec))
    if asked.resources.gpus_per_trial and device_of(asked).type == "cpu":  # Ray counts GPUs without asking torch
        raise SweepError(
            f"node {platform.node()} has GPUs for trials, and torch finds none there: "
            "install a torch for these GPUs, or run on CPUs by resources.gpus_per_trial: 0"
        )
    return Worker(asked, cache)

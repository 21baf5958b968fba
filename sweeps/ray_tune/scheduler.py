"""Ray Tune's scheduler, asking each study's own Optuna pruner; rung state therefore lives in the storage and survives."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import ray
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from sweeps.errors import SweepError
from sweeps.jobs.job import Update
from sweeps.ray_tune.internals import forget_finished, how_it_died, keep_actor
from sweeps.ray_tune.searcher import StudySearcher
from sweeps.ray_tune.trainable import REPORT
from sweeps.ray_tune.watch import Watch

#: Seconds that a trial waits for a place on the cluster before another slot gets it: while a worker idles, and while none does.
PATIENCE_IDLE, PATIENCE = 5.0, 60.0
LOOK_SECONDS = 1.0


class PrunerScheduler(FIFOScheduler):
    """Starts trials in the order they come; stops one when its study's pruner says so, or when its slot has no place.

    A slot has no place once its node is gone, or where more workers are asked for than the cluster holds.
    """

    def __init__(self, searcher: StudySearcher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
        self.searcher = searcher
        self._slots: set[Any] = set()
        self._waiting: dict[Trial, float] = {}
        self._looked = time.monotonic()
        self._node = ray.get_runtime_context().get_node_id()
        limit = searcher.studies.spec.resources.trial_timeout
        self._watch = Watch(searcher, limit, end=end_worker, host_of=host_of)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Keep this slot's actor for its next trial, and let go of trials that are over."""
        for finished in forget_finished(tune_controller):
            self._waiting.pop(finished, None)
        slot = trial.placement_group_factory
        self._waiting[trial] = time.monotonic()
        if slot not in self._slots:
            self._slots.add(slot)
            keep_actor(tune_controller, slot)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """None: Ray Tune starts pending trials in order by itself. Trials that wait in vain go to other slots.

        Raises:
            SweepError: Ray has died under the driver; Ray Tune would wait for ever.
        """
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            with self.searcher.recorded():
                check_alive(self._node)
                self._watch.look([t.trial_id for t in tune_controller.get_live_trials() if t.status == Trial.RUNNING])
            self._waiting = {t: since for t, since in self._waiting.items() if t.status == Trial.PENDING}
            patience = PATIENCE_IDLE if self.searcher.slots.idle else PATIENCE
            late = [trial for trial, since in self._waiting.items() if now - since > patience]
            for trial in _without_place(late, self.searcher):
                del self._waiting[trial]
                self.searcher.move(trial.trial_id)
                tune_controller.stop_trial(trial)
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Record the epochs of this result first: the pruner decides on what the storage holds."""
        self._watch.heard(trial.trial_id)
        assignment = self.searcher.assignments.get(trial.trial_id)
        if self.searcher.failure is not None:
            return str(FIFOScheduler.STOP)
        if assignment is None:
            return str(FIFOScheduler.CONTINUE)
        with self.searcher.recorded():
            pruned = self.searcher.studies.report(assignment, Update.load(result[REPORT]))
        return str(FIFOScheduler.STOP if pruned else FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Say how the worker died; the searcher hears of it next."""
        told = Path(trial.error_file or os.devnull)
        self.searcher.died(trial.trial_id, how_it_died(told.read_text(errors="replace") if told.exists() else ""))

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray Tune pickles it for a restoration that is never asked for."""
        return {}


def check_alive(node: str) -> None:
    """See that the node on which the driver stands is there.

    Raises:
        SweepError: it is not.
    """
    if not any(known["NodeID"] == node and known["Alive"] for known in _nodes()):
        raise SweepError(
            "Ray's own process on this machine (the raylet) has died\n"
            "  remedy: see that there is memory for it; the same command then resumes, nothing finished is lost"
        )


def _nodes() -> list[dict[str, Any]]:
    return list(ray.nodes())  # type: ignore[no-untyped-call]  # Ray leaves it untyped


def end_worker(slot: str) -> None:
    """End the worker in a slot, whatever it does: it goes with its place on the cluster."""
    with contextlib.suppress(ValueError):  # it has gone by itself
        ray.util.remove_placement_group(ray.util.get_placement_group(slot))


def host_of(slot: str) -> str:
    """The host of a slot's worker; its node's number where Ray has forgotten the name."""
    for group in ray.util.placement_group_table().values():
        if group["name"] == slot:
            nodes = set(group["bundles_to_node_id"].values())
            names = [node["NodeManagerHostname"] for node in _nodes() if node["NodeID"] in nodes]
            return ", ".join(names or sorted(nodes))
    return "an unknown host"


def _without_place(trials: list[Trial], searcher: StudySearcher) -> list[Trial]:
    """Those of `trials` for whose slots the cluster has no room now."""
    if not trials:
        return []
    groups = ray.util.placement_group_table().values()
    placed = {group["name"] for group in groups if group["state"] == "CREATED"}
    return [trial for trial in trials if searcher.slot_of(trial.trial_id) not in placed]

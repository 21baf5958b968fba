"""The original and oracle models of a sweep in the cache: which are there, whether they are whole, and rid of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from optuna.trial import FrozenTrial, TrialState

from sweeps.jobs.worker import Worker
from sweeps.plan import ReferenceNeed, StudyPlan, make_plan
from sweeps.studies.retries import RetryFilter, might_end_otherwise
from sweeps.studies.trials import Point, trial_key
from sweeps.sweep import Sweep
from unlearn.training import ModelStore


@dataclass(frozen=True)
class CachedModel:
    """A model that a sweep needs.

    Attributes:
        key: its name in the cache; models that are the same have the same.
        state: `shared` is what another machine has, unread here; what is damaged will be trained again when it is needed.
        seconds: what it took to train; None where it is not on this machine.
        bytes: likewise, its size.
    """

    need: ReferenceNeed
    key: str
    state: Literal["cached", "shared", "missing", "damaged"]
    seconds: float | None = None
    bytes: int | None = None


def cached_models(sweep: Sweep, *, verify: bool = False) -> list[CachedModel]:
    """Every original and oracle that the sweep needs, in the order in which they are planned.

    Args:
        verify: read each one whole and see that its checksum holds.
    """
    worker = Worker(sweep.spec, sweep.cache, torch.device("cpu"))
    store, found = worker.workspace.store, dict[str, dict[str, Any]]()
    models = []
    for study in make_plan(sweep.spec, ["reference"]).studies:
        for need in study.needs:
            key = worker.workspace.reference_key(need.kind, worker.task(need.draw, study.scored_on), need.number)
            if key not in found:
                found[key] = _state(store, key, verify=verify)
            models.append(CachedModel(need, key, **found[key]))
    return models


def retry_untrained(models: Iterable[CachedModel]) -> RetryFilter:
    """The reference trials whose models are not in the cache (any more), and those that failed."""
    wanted = {
        (m.need.kind, m.need.draw.scenario, Point.of_reference(m.need).key)
        for m in models
        if m.state in {"missing", "damaged"}
    }

    def which(plan: StudyPlan, trial: FrozenTrial) -> bool:
        missing = (plan.method, plan.scenario, trial_key(trial)) in wanted
        return (
            missing if plan.stage == "reference" and trial.state == TrialState.COMPLETE else might_end_otherwise(trial)
        )

    return which


def delete_models(sweep: Sweep, models: Iterable[CachedModel]) -> int:
    """Remove models from the cache; returns the bytes that this freed on this machine."""
    store = ModelStore(sweep.cache.models, sweep.cache.share)
    return sum(store.delete(key) for key in {model.key for model in models})


def _state(store: ModelStore, key: str, *, verify: bool) -> dict[str, Any]:
    if not store.has(key):
        return {"state": "missing"}
    path = store.path(key)
    if not path.exists():
        return {"state": "shared"}
    facts = store.facts(key)
    if facts is None or (verify and store.load(key) is None):
        return {"state": "damaged"}
    return {"state": "cached", "seconds": facts["seconds"], "bytes": path.stat().st_size}

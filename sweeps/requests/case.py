"""A request made ready: its images found, its configuration chosen, data and original loaded."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sweeps.errors import SweepError
from sweeps.jobs.job import other_data, same_data
from sweeps.jobs.original import look_by
from sweeps.jobs.worker import Worker
from sweeps.record import SweepRecord, empty_record
from sweeps.requests.choice import Configuration, choose, method_by
from sweeps.requests.nearest import Nearest, nearest_scenario
from sweeps.requests.serve import run_seed
from sweeps.spec import Spec, scenario_of
from sweeps.sweep import Sweep
from unlearn.data import Indices, copies_of, ids_digest
from unlearn.errors import suggest
from unlearn.scenarios import Scenario
from unlearn.scenarios.listed import ListedRows, training_rows
from unlearn.workspace import Task, Workspace


@dataclass(frozen=True)
class Case:
    """A request with everything that serving it needs.

    Attributes:
        source: where the ids come from, in words.
        rows: positions in the training split, sorted.
        scenario_by, method_by: why the scenario and the method were taken, in words.
    """

    sweep: Sweep
    record: SweepRecord
    chosen: Configuration
    worker: Worker
    rows: tuple[int, ...]
    source: str
    scenario_by: str
    method_by: str

    @property
    def workspace(self) -> Workspace:
        return self.worker.workspace

    @cached_property
    def tuned(self) -> Scenario:
        """The scenario that was tuned on, its classes and images as positions."""
        samples = self.workspace.samples
        return scenario_of(self.sweep.spec, self.chosen.scenario, samples.data, samples.splits)

    @cached_property
    def positions(self) -> Indices:
        """Of the images in the data set."""
        found: Indices = self.workspace.samples.splits.train[np.array(self.rows)]
        return found

    @cached_property
    def ids(self) -> list[str]:
        return self.workspace.data.ids.names(self.positions)

    @cached_property
    def copies(self) -> list[str]:
        """The ids of training images that are not to be forgotten, but are the same as some that are, pixel for pixel."""
        samples = self.workspace.samples
        retained = np.setdiff1d(samples.splits.train, self.positions)
        return samples.data.ids.names(copies_of(samples.data.train_images, self.positions, retained))

    @cached_property
    def digest(self) -> str:
        """Of the ids, whatever their order."""
        return ids_digest(self.ids)

    @property
    def seed(self) -> int:
        """Of the unlearning run."""
        return run_seed(self.sweep.spec.seed, self.digest)

    @cached_property
    def task(self) -> Task:
        """The request as a task scored on test images; classes count as in the scenario that was tuned on."""
        by_class = isinstance(self.tuned, ListedRows) or bool(self.tuned.classes_among(self.workspace.train_labels))
        scenario = ListedRows(self.rows, by_class)
        return Task(
            scenario=scenario,
            forget_size=len(self.rows),
            forget_seed=self.seed,
            scored_on="test",
            oracles=self.sweep.spec.references.oracles,
        )


def open_case(
    sweep: Sweep, ids: Sequence[str], *, method: str | None, scenario: str | None, params: Path | None, source: str
) -> Case:
    """Make a request ready; whatever is wrong with it is told before anything is trained.

    With parameters that are given, a sweep of which nothing has been run serves too: no oracle is needed then.

    Raises:
        SweepError: the sweep cannot serve it: see `choose`. Or its original was trained on other data than there are now.
        IdsError: with all ids that cannot be forgotten.
    """
    record = sweep.record() if params is None or sweep.exists else empty_record(sweep.spec)
    if scenario is not None:
        _check_scenario(sweep.spec, scenario)
    worker = Worker(sweep.spec, sweep.cache)
    samples = worker.workspace.samples
    if not record.data_identity or not same_data(record.data_identity, samples.data.identity):
        if record.data_identity and sweep.spec.original is None:  # another one would be trained, and unlearned from
            raise SweepError(other_data(platform.node()))
        look_by(worker)
    rows = training_rows(list(ids), samples.data.ids, samples.splits)
    if len(rows) >= len(samples.train_labels):
        raise SweepError(f"a request must leave samples to retain: it lists all {len(rows):,} training samples")
    taken = Nearest(scenario, "named") if scenario else nearest_scenario(sweep.spec, record, worker.workspace, rows)
    _check_scenario(sweep.spec, taken.scenario)
    chosen = choose(sweep.spec, record, scenario=taken.scenario, method=method, params=params)
    return Case(sweep, record, chosen, worker, rows, source, taken.why, method_by(record, chosen.scenario, method))


def _check_scenario(spec: Spec, label: str) -> None:
    """Refuse a scenario that the sweep has not, or whose original has not learnt the images as they are."""
    if label not in spec.scenarios:
        raise SweepError(f"scenario must be one of the sweep's, got {label!r}, {suggest(label, spec.scenarios)}")
    if spec.facts("scenarios", spec.scenario_key(label)).declared["alters_training"]:
        raise SweepError(
            f"scenario {label} alters the training data, so that its original has not learnt them as they are: tune on another "
            "one"
        )


__all__ = ["Case", "open_case"]

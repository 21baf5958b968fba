"""Which scenario a request is served by that names none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.requests.nearest import nearest_scenario
from sweeps.spec import Spec
from tests.own_network import write_ids
from tests.reports.conftest import new_builder

Maker = Callable[..., Spec]
OF = {"tune_size": 40, "sizes": [40]}
ALL: dict[str, Any] = {
    "canary": {"tune_size": 60, "sizes": [60]},
    "small": {"scenario": "random", "tune_size": 20, "sizes": [20]},
    "random": {"tune_size": 60, "sizes": [60, 200]},
    "partial_class": {"target_class": 3, **OF},
    "full_class": {"target_class": 3},
}


@pytest.fixture
def worker(tiny: Maker, cache: Path, tmp_path: Path) -> Worker:
    first = Worker(tiny(), Cache(cache), torch.device("cpu")).workspace
    ids = first.data.ids.names(first.samples.splits.train[np.flatnonzero(first.train_labels == 7)[:9]])
    request = {"scenario": "listed", "forget": write_ids(tmp_path / "ids.txt", ids)}
    return Worker(tiny(scenarios={**ALL, "request": request}), Cache(cache), torch.device("cpu"))


@pytest.mark.parametrize(
    ("which", "scenario"),
    [
        (lambda labels: np.random.default_rng(0).choice(len(labels), 50, replace=False), "random"),
        (lambda labels: np.random.default_rng(0).choice(len(labels), 170, replace=False), "random"),
        (lambda labels: np.random.default_rng(0).choice(len(labels), 25, replace=False), "small"),
        (lambda labels: np.flatnonzero(labels == 3)[:35], "partial_class"),
        (lambda labels: np.flatnonzero(labels == 3), "full_class"),
        (lambda labels: np.flatnonzero(labels == 4), "full_class"),
        (lambda labels: np.flatnonzero(labels == 4)[:35], "partial_class"),
        (lambda labels: np.flatnonzero(labels == 7)[:9], "request"),
    ],
)
def test_by_classes_and_then_by_size(which: Callable[[Any], Any], scenario: str, worker: Worker) -> None:
    rows = tuple(sorted(map(int, which(worker.workspace.train_labels))))
    found = nearest_scenario(worker.spec, new_builder().record(), worker.workspace, rows)
    assert found.scenario == scenario
    assert found.why.startswith("rather than ")
    assert "canary" not in found.why
    assert f" samples to its {len(rows)}" in found.why


def test_sizes_evaluated_come_before_those_planned(worker: Worker) -> None:
    builder = new_builder()
    builder.trial("evaluation", "sure", scenario="small", size=52)
    rows = tuple(range(0, 1000, 20))
    found = nearest_scenario(worker.spec, builder.record(), worker.workspace, rows)
    assert found.scenario == "small"
    assert found.why.endswith("of 52 samples to its 50")


def test_none_where_all_alter_the_training_data(tiny: Maker, cache: Path) -> None:
    spec = tiny(scenarios={"canary": ALL["canary"], "confusion": {"classes": [0, 1]}})
    worker = Worker(spec, Cache(cache), torch.device("cpu"))
    with pytest.raises(SweepError, match=r"all scenarios of the sweep \(canary, confusion\) alter the training data"):
        nearest_scenario(spec, new_builder().record(), worker.workspace, (1, 2, 3))

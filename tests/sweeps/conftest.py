"""A tiny sweep, a storage, and an in-process stand-in for the pool of workers."""

from __future__ import annotations

import copy
import lzma
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial

from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.spec import Spec, parse_spec, published_params
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Assignment, Multiplexer
from sweeps.sweep import Sweep

TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": "digits",
    "model": "tests.sweeps.tiny_network:tiny_network",
    "training": {"epochs": 2, "milestones": [1]},
    "unlearning": {"epochs": 2},
    "scenarios": {"partial_class": {"tune_size": 40, "sizes": [40, 5]}},
    "methods": {"sure": {}, "finetune": {}},
    "search": {"trials": 4, "sampler": "random", "confirm": "none"},
    "references": {"oracles": 1},
    "evaluation": {"seeds": 2},
    "sensitivity": {"points": 3, "repeats": 1},
}


SpecMaker = Callable[..., Spec]

#: A finished sweep of the version before stop epochs.
OLD = Path(__file__).parents[1] / "data" / "before_stop_epoch"
OLD_NAME = "before-stop-epoch"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests of the session: references are trained once."""
    base = tmp_path_factory.getbasetemp()
    folder = (
        base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    ) / "cache"  # shared by the test processes, too
    os.environ["UNLEARN_SWEEPS_CACHE"] = str(folder)
    return folder


@pytest.fixture
def tiny() -> Callable[..., Spec]:
    """The tiny sweep with some sections replaced."""

    def make(**changes: Any) -> Spec:
        return parse_spec({**TINY, **changes})

    return make


@pytest.fixture
def hiding_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One types in a folder with a file named as a module of Python's; it stands last on the search path."""
    folder = tmp_path / "typed-in"
    folder.mkdir()
    (folder / "queue.py").write_text("raise RuntimeError('the user's own')\n")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*filter(None, sys.path), str(folder)])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


@lru_cache
def empty_storage() -> bytes:
    """A new storage's file: Optuna takes a while to lay one out."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "study.db"
        storage = open_storage(f"sqlite:///{file}")
        assert isinstance(storage, RDBStorage)
        storage.engine.dispose()
        return file.read_bytes()


@pytest.fixture
def storage(url: str) -> BaseStorage:
    Path(url.removeprefix("sqlite:///")).write_bytes(empty_storage())
    return open_storage(url)


def prepare(sweep: Sweep) -> BaseStorage:
    """A sweep's folder and storage, as `Sweep.prepare` makes and opens them."""
    sweep.folder.path.mkdir(parents=True, exist_ok=True)
    if not sweep.folder.database.exists():
        sweep.folder.database.write_bytes(empty_storage())
    return sweep.prepare()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs with the sweep of an older version in it."""
    folder = tmp_path / "runs" / OLD_NAME
    folder.mkdir(parents=True)
    (folder / "study.db").write_bytes(lzma.decompress((OLD / "study.db.xz").read_bytes()))
    (folder / "spec.yaml").write_bytes((OLD / "spec.yaml").read_bytes())
    return tmp_path / "runs"


def serve(studies: Multiplexer, worker: Worker, limit: int = 10_000) -> list[Assignment]:
    """Do up to `limit` trials one after another, as a pool of one worker would."""
    done: list[Assignment] = []
    while len(done) < limit and (assignment := studies.next()) is not None:
        report = None
        for report in worker.run(assignment.job):
            if not report.done and studies.report(assignment, report):
                break
        studies.finish(assignment, report)
        check_told(assignment)
        done.append(assignment)
    return done


def check_told(assignment: Assignment) -> None:
    """What the driver knows of a trial that has ended is what the storage holds."""
    assert assignment.ended is not None
    stored, known = (vars(copy.copy(trial)) for trial in (stored_trial(assignment), assignment.ended))
    for trial in (stored, known):
        assert trial.pop("datetime_complete") is not None
        trial.pop("_trial_id")
    assert known == stored


def stored_trial(assignment: Assignment) -> FrozenTrial:
    """A trial as the storage has it."""
    study = assignment.open_study
    return study.storage.get_trial(
        study.storage.get_trial_id_from_study_id_trial_number(study.study_id, assignment.trial.number)
    )


def open_studies(spec: Spec, storage: BaseStorage, **options: Any) -> Multiplexer:
    return Multiplexer(make_plan(spec), storage, warm_start=[published_params()], **options)

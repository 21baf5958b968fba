"""A driver killed between any two writes to its storage: the next one ends where an undisturbed run ends."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from sqlalchemy import event

from sweeps.errors import SweepError
from sweeps.folder import SweepFolder
from sweeps.jobs.job import Job, Update
from sweeps.plan import make_plan
from sweeps.record import SweepRecord, load_sweep
from sweeps.spec import Spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Multiplexer
from sweeps.studies.retries import attempt_of
from sweeps.sweep import Sweep

WRITES = (
    "create_new_study",
    "set_study_user_attr",
    "create_new_trial",
    "_create_new_trial",
    "set_trial_param",
    "set_trial_user_attr",
    "set_trial_intermediate_value",
    "set_trial_state_values",
)
IDENTITY = ["stage", "scenario", "method", "state", "value", "fail_reason", "forget_size", "forget_seed", "hp.lr"]

SpecMaker = Callable[..., Spec]


class Killed(BaseException):
    """The driver is gone: no handler runs, and nothing more is written."""


@contextmanager
def killed_before_statement(storage: RDBStorage, number: int) -> Iterator[BaseStorage]:
    """The `number`-th statement that changes the database, and every later one, raises `Killed`, in mid-transaction too."""
    left = number

    def guard(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        nonlocal left
        left -= not statement.lstrip().upper().startswith(("SELECT", "PRAGMA"))
        if left <= 0:
            raise Killed

    event.listen(storage.engine, "before_cursor_execute", guard)
    try:
        with suppress(Killed):
            yield storage
    finally:
        event.remove(storage.engine, "before_cursor_execute", guard)


@contextmanager
def killed_before_write(storage: BaseStorage, number: int) -> Iterator[BaseStorage]:
    """Every write to `storage` from the `number`-th on raises `Killed`, which ends the block."""
    left = number

    def guarded(write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                raise Killed
            return write(*args, **kwargs)

        return call

    originals = {name: getattr(storage, name) for name in WRITES if hasattr(storage, name)}
    for name, write in originals.items():
        setattr(storage, name, guarded(write))
    try:
        yield storage
    except Killed:
        pass
    finally:
        for name, write in originals.items():
            setattr(storage, name, write)


def luck(job: Job) -> int:
    """0 … 999, a function of what is asked for."""
    text = json.dumps([job.kind, job.method, job.draw.size, job.draw.seed, job.hyperparameters.get("lr")])
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 1000


def work(job: Job, attempt: int) -> Update:
    """A trivial objective in which, as in life, some trials diverge, some raise, and some kill their workers."""
    fate = luck(job)
    if job.kind != "unlearning":
        return (
            Update("died")
            if fate % 3 == 0 and not attempt
            else Update("complete", values=[0.9], metrics={"accuracy": 0.9})
        )
    if fate % 7 == 0 and attempt < (3 if fate % 2 else 1):
        return Update("died")
    if fate % 11 == 0:
        return Update("diverged", reason="diverged at epoch 1")
    if fate % 13 == 0:
        return Update("error", reason="Traceback: ValueError")
    score = fate / 10
    epochs = [{"epoch": epoch, "score": score + 2 - epoch, "forget_gap": score} for epoch in (1, 2)]
    return Update("complete", epochs=epochs, values=[score], epoch=2, metrics={"forget_gap": score})


def by_epoch(report: Update) -> Iterator[Update]:
    """The reports of a worker that is asked for every epoch."""
    for epoch in report.epochs:
        yield Update("running", epochs=[epoch])
    yield replace(report, epochs=[])


def drive(spec: Spec, storage: BaseStorage, folder: Path) -> Multiplexer:
    """One driver's life with two workers."""
    Sweep(spec, SweepFolder(folder), "memory").freeze(storage)
    studies = Multiplexer(make_plan(spec), storage)
    busy: deque[Any] = deque()
    while True:
        while len(busy) < 2 and (assignment := studies.next()) is not None:
            busy.append(assignment)
        if not busy:
            return studies
        assignment = busy.popleft()
        report = work(assignment.job, attempt_of(assignment.trial.user_attrs))
        if report.outcome != "died" and assignment.job.prune:
            report = next((r for r in by_epoch(report) if r.done or studies.report(assignment, r)), None)
        studies.finish(assignment, report)


def told(record: SweepRecord) -> list[dict[str, Any]]:
    """What the sweep found: every counted trial by what it is, in one order."""
    rows = record.counted[IDENTITY].astype(object)
    return sorted(rows.where(pd.notna(rows), None).to_dict("records"), key=str)


def final(record: SweepRecord) -> set[tuple[Any, ...]]:
    """Trials that no later driver may touch or repeat."""
    ended = record.trials[record.trials["state"].isin(["COMPLETE", "PRUNED", "FAIL"]) & ~record.trials["requeued"]]
    rows = ended[["study", "number", "state", "value", "completed"]].astype(object)
    return set(rows.where(pd.notna(rows), None).itertuples(index=False, name=None))


def check(record: SweepRecord, undisturbed: SweepRecord) -> None:
    assert (record.trials["state"] != "RUNNING").all()
    assert told(record) == told(undisturbed)
    assert record.planned == undisturbed.planned
    points = record.counted[record.counted["stage"] != "search"]
    own = ["study", "forget_size", "forget_seed", "training", "run", "oracle", "hp.lr", "hp.alpha"]
    assert not points.duplicated(own).any()
    again = record.trials["retry_of"].dropna()
    assert not record.trials[record.trials["retry_of"].notna()].duplicated(["study", "retry_of"]).any()
    assert set(again) <= set(record.trials[record.trials["requeued"]]["number"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of drivers start here: what they write beside the storage is left out."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    monkeypatch.setattr("sweeps.sweep.provenance", lambda spec, before: {"seed": spec.seed})
    monkeypatch.setattr("sweeps.sweep.dump_yaml", lambda data, stored: "")  # nor made
    monkeypatch.setattr("sweeps.sweep.write_atomically", lambda path, content: None)


@pytest.fixture
def small(tiny: SpecMaker) -> Spec:
    """Every stage and every fate, in few trials, all known beforehand: the search is its Sobol points."""
    return tiny(
        methods={"sure": {}},
        scenarios={"partial_class": {"tune_size": 66, "sizes": [66]}},  # with other sizes, four points miss a fate
        search={
            "trials": 4,
            "sampler": "random",
            "startup_trials": 4,
            "max_retries": 2,
            "confirm": [{"leaders": 3, "sets": 1}, {"leaders": 2, "sets": 1}, {"leaders": 1, "sets": 2}],
        },
    )


def undisturbed(spec: Spec, folder: Path) -> SweepRecord:
    storage = InMemoryStorage()
    drive(spec, storage, folder)
    return load_sweep(storage, spec.name)


def test_the_small_sweep_meets_every_fate(small: Spec, tmp_path: Path) -> None:
    record = undisturbed(small, tmp_path)
    reasons = set(record.trials["fail_reason"].dropna())
    assert reasons == {
        "the worker died",
        "the worker died (attempt 3 of 3)",
        "diverged at epoch 1",
        "Traceback: ValueError",
    }
    assert set(record.counted["stage"]) == {"reference", "search", "confirmation", "evaluation", "sensitivity"}


def read(storage: BaseStorage, name: str) -> SweepRecord | None:
    """What `sweeps status` and `sweeps report` read; None before there is a sweep."""
    try:
        return load_sweep(storage, name)
    except SweepError:
        return None


def test_killed_before_any_write_and_again_while_resuming(small: Spec, tmp_path: Path) -> None:
    expected = undisturbed(small, tmp_path)
    failures: dict[int, str] = {}
    for number in count(1):
        storage = InMemoryStorage()
        with killed_before_write(storage, number):
            drive(small, storage, tmp_path)
            break  # it wrote less often than that
        before = read(storage, small.name)
        with killed_before_write(storage, 1 + number * 7 % 23):
            drive(small, storage, tmp_path)
        studies = drive(small, storage, tmp_path)
        record = load_sweep(storage, small.name, importances=False)
        try:
            assert studies.done
            check(record, expected)
            assert before is None or final(before) <= final(record)
        except AssertionError as error:
            failures[number] = str(error)
    assert number > 100
    assert not failures, "\n".join(f"killed before write {n}: {text[:1000]}" for n, text in list(failures.items())[:3])


@pytest.mark.parametrize("url", ["sqlite:///{}/study.db", "journal:{}/log"])
def test_killed_every_few_writes_on_a_disk(small: Spec, tmp_path: Path, url: str) -> None:
    url = url.format(tmp_path)
    drivers = 0
    done = False
    while not done:
        drivers += 1
        assert drivers < 100
        storage = open_storage(url)
        kill = (
            killed_before_statement(storage, 61)
            if isinstance(storage, RDBStorage)
            else killed_before_write(storage, 31)
        )
        with kill:
            done = drive(small, storage, tmp_path).done
    assert drivers > 5
    check(load_sweep(open_storage(url), small.name), undisturbed(small, tmp_path))


def test_pruning_resumes(tiny: SpecMaker, tmp_path: Path) -> None:
    search = {"confirm": "none", "trials": 12, "sampler": "tpe", "pruner": "median", "startup_trials": 4}
    spec = tiny(methods={"finetune": {}}, search=search, evaluation={"seeds": 1})
    storage = InMemoryStorage()
    done, drivers = False, 0
    while not done:
        drivers += 1
        assert drivers < 100
        with killed_before_write(storage, 47):
            done = drive(spec, storage, tmp_path).done
    record = load_sweep(storage, spec.name)
    assert record.counted.groupby(["stage", "scenario", "method"]).size().to_dict() == record.planned
    states = set(record.counted[record.counted["stage"] == "search"]["state"])
    assert {"PRUNED", "COMPLETE"} <= states
    assert (record.trials["state"] != "RUNNING").all()

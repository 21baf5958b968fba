"""Trials that take too long, by a clock of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage

from sweeps.errors import SpecError
from sweeps.jobs.job import Update
from sweeps.ray_tune.searcher import StudySearcher
from sweeps.ray_tune.trainable import REPORT
from sweeps.ray_tune.watch import Watch
from sweeps.spec import parse_spec
from sweeps.studies.multiplexer import Assignment
from tests.sweeps.conftest import TINY, SpecMaker, open_studies


class Pool:
    """A searcher with trials that run on no worker, and a watch whose clock stands still until told."""

    def __init__(self, spec: Any, storage: BaseStorage) -> None:
        self.studies = open_studies(spec, storage)
        self.searcher = StudySearcher(self.studies, 2)
        self.now = 0.0
        self.ended: list[str] = []
        self.silences: list[tuple[Assignment, float, float, str]] = []
        self.studies.on_silence = lambda *silence: self.silences.append(silence)
        limit = spec.resources.trial_timeout
        self.watch = Watch(
            self.searcher, limit, end=self.ended.append, host_of=lambda slot: "node7", clock=lambda: self.now
        )
        self.count = 0

    def start(self) -> str:
        self.count += 1
        trial_id = f"t{self.count}"
        assert self.searcher.suggest(trial_id)
        return trial_id

    def complete(self, trial_id: str, seconds: float) -> Assignment:
        assignment = self.searcher.assignments[trial_id]
        report = Update("complete", values=[1.0], metrics={"heldout_accuracy": 1.0}, facts={"seconds": seconds})
        if assignment.job.kind == "unlearning":
            report = Update("complete", [{"epoch": 1, "score": 1.0}], [1.0], 1, facts={"seconds": seconds})
        self.searcher.on_trial_complete(trial_id, {REPORT: report.dump()})
        return assignment

    def until_search(self, seconds: float, trials: int) -> str:
        """Do all references and `trials` of one search; returns a trial that runs."""
        done = 0
        while True:
            trial_id = self.start()
            if self.searcher.assignments[trial_id].job.kind == "unlearning":
                if done == trials:
                    return trial_id
                done += 1
            self.complete(trial_id, seconds)


def one_method(tiny: SpecMaker, **changes: Any) -> Any:
    return tiny(methods={"sure": {}}, search={"trials": 6, "sampler": "random", "confirm": "none"}, **changes)


def test_past_the_limit_the_worker_is_ended_and_the_trial_fails_once(tiny: SpecMaker, storage: BaseStorage) -> None:
    pool = Pool(one_method(tiny, resources={"trial_timeout": 30}), storage)
    trial_id = pool.until_search(1.0, 0)
    assignment, slot = pool.searcher.assignments[trial_id], pool.searcher.slot_of(trial_id)
    pool.watch.look([trial_id])
    pool.now = 30.0
    pool.watch.heard(trial_id)  # words do not prolong it
    pool.watch.look([trial_id])
    assert not pool.ended
    for pool.now in (30.5, 31.0):
        pool.watch.look([trial_id])
    assert pool.ended == [slot]
    pool.searcher.died(trial_id, "the worker died")
    pool.searcher.on_trial_complete(trial_id, error=True)
    trial = assignment.open_study.study.trials[assignment.trial.number]
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["fail_reason"] == "timed out after 30 s (resources.trial_timeout)"
    assert not assignment.open_study.retries
    assert assignment.open_study.failed == 1
    assert pool.searcher.slot_of(pool.start()) != slot


def test_the_clock_starts_when_a_trial_runs_and_each_has_its_own(tiny: SpecMaker, storage: BaseStorage) -> None:
    pool = Pool(one_method(tiny, resources={"trial_timeout": 30}), storage)
    first = pool.until_search(1.0, 0)
    second = pool.start()
    pool.watch.look([])
    pool.now = 100.0
    pool.watch.look([first])
    pool.now = 120.0
    pool.watch.look([first, second])
    pool.now = 131.0
    pool.watch.look([first, second])
    assert pool.ended == [pool.searcher.slot_of(first)]


def test_one_that_ends_at_that_moment_counts(tiny: SpecMaker, storage: BaseStorage) -> None:
    pool = Pool(one_method(tiny, resources={"trial_timeout": 30}), storage)
    trial_id = pool.until_search(1.0, 0)
    pool.searcher.time_out(trial_id, "timed out")
    assignment = pool.complete(trial_id, 30.0)
    assert assignment.open_study.study.trials[assignment.trial.number].state.name == "COMPLETE"


@pytest.mark.parametrize(("seconds", "done", "told_at"), [(1.0, 3, 61), (10.0, 3, 101), (1.0, 2, None)])
def test_a_long_silence_is_told_once(
    tiny: SpecMaker, storage: BaseStorage, seconds: float, done: int, told_at: int | None
) -> None:
    pool = Pool(one_method(tiny), storage)
    trial_id = pool.until_search(seconds, done)
    assignment = pool.searcher.assignments[trial_id]
    pool.watch.look([trial_id])
    pool.now = 50.0
    pool.watch.heard(trial_id)
    told = []
    for second in range(51, 400):
        pool.now = float(second)
        pool.watch.look([trial_id])
        told += [second - 50] * len(pool.silences)
        if pool.silences:
            assert pool.silences[0] == (assignment, second - 50.0, seconds, "node7")
            pool.silences.clear()
    assert told == ([] if told_at is None else [told_at])
    assert not pool.ended


@pytest.mark.parametrize("wrong", [0, -1, "60", True])
def test_bounds(wrong: object) -> None:
    with pytest.raises(SpecError, match=r"resources\.trial_timeout"):
        parse_spec({**TINY, "resources": {"trial_timeout": wrong}})


@pytest.mark.parametrize(
    "url", ["postgresql://u:geheim@h/d", "mysql+pymysql://u:geheim@h/d", "postgresql://h/d?password=geheim"]
)
def test_no_password_stands_in_the_sweep_file(url: str) -> None:
    with pytest.raises(SpecError, match=r"storage: must hold no secret.*UNLEARN_SWEEPS_STORAGE.*--storage") as caught:
        parse_spec({**TINY, "storage": url})
    assert "geheim" not in str(caught.value)
    assert parse_spec({**TINY, "storage": "postgresql://u@h/d"}).storage


def test_workers_are_told_no_storage(tiny: SpecMaker, tmp_path: Path) -> None:
    from sweeps.ray_tune.driver import _for_workers  # noqa: PLC0415  # beside the test that needs it

    assert "storage" not in _for_workers(tiny(storage="postgresql://u@secrethost/d"))

"""When trials are asked for: before a worker is free, and never while one waits for what it was given."""

from __future__ import annotations

from types import SimpleNamespace

from optuna.storages import BaseStorage
from ray.tune.search import Searcher

from sweeps.jobs.job import Update
from sweeps.ray_tune.searcher import LookAhead, StudySearcher
from sweeps.ray_tune.trainable import REPORT
from tests.sweeps.conftest import SpecMaker, open_studies

DONE = Update("complete", values=[1.0], metrics={"heldout_accuracy": 1.0}).dump()


def asked(storage: BaseStorage) -> int:
    """Trials of the whole sweep that Optuna knows of."""
    return sum(len(storage.get_all_trials(study._study_id)) for study in storage.get_all_studies())


def test_the_next_trial_is_asked_for_once_the_last_one_runs(tiny: SpecMaker, storage: BaseStorage) -> None:
    searcher = StudySearcher(open_studies(tiny(), storage), slots=1)
    ahead = LookAhead(searcher)
    before = asked(storage)
    assert searcher.suggest("a")
    assert searcher.suggest("b") is None  # Ray Tune asks on, and then starts the first
    ahead.on_step_end(1, [])
    assert asked(storage) == before + 1
    ahead.on_trial_start(2, [], SimpleNamespace(trial_id="a"))
    assert asked(storage) == before + 1
    ahead.on_step_end(2, [])
    ahead.on_step_end(3, [])
    assert asked(storage) == before + 2
    searcher.on_trial_complete("a", {REPORT: DONE})
    assert searcher.suggest("c")
    assert asked(storage) == before + 2


def test_it_is_finished_when_nothing_runs_and_nothing_can(tiny: SpecMaker, storage: BaseStorage) -> None:
    spec = tiny(methods={"finetune": {}}, evaluation={"seeds": 1}, sensitivity={"enabled": False})
    searcher = StudySearcher(open_studies(spec, storage), slots=2)
    ahead, number = LookAhead(searcher), 0
    while (config := searcher.suggest(str(number))) not in (None, Searcher.FINISHED):
        job = searcher.assignments[str(number)].job
        ahead.on_trial_start(number, [], None)
        ahead.on_step_end(number, [])
        epochs = [{"epoch": 1, "score": 1.0}] if job.kind == "unlearning" else []
        done = Update("complete", epochs, [1.0], 1, {"heldout_accuracy": 1.0})
        searcher.on_trial_complete(str(number), {REPORT: done.dump()})
        number += 1
    assert config == Searcher.FINISHED
    assert searcher.studies.done
    assert number == asked(storage) > 4

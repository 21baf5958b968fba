"""A tracker that fails costs no trial, is tried again after a while, and what it misses is counted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from optuna.storages import BaseStorage

from sweeps.jobs.job import Update
from sweeps.ray_tune.loggers import TrialLogger
from sweeps.ray_tune.runs import Run
from sweeps.ray_tune.searcher import StudySearcher
from sweeps.ray_tune.tensorboard import TensorBoard
from sweeps.ray_tune.trackers import PAUSE, Epochs, Guarded, Tracker
from sweeps.ray_tune.trainable import REPORT
from tests.sweeps.conftest import SpecMaker, open_studies

pytest.importorskip("tensorboardX", reason="pip install 'unlearn-sweeps[tensorboard]'")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runs(tiny: SpecMaker, storage: BaseStorage) -> list[Run]:
    studies = open_studies(tiny(), storage)
    return [Run(assignment) for assignment in (studies.next() for _ in range(3)) if assignment is not None]


def test_what_a_tracker_misses_is_counted(runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock, folder = Clock(), tmp_path / "tensorboard"
    tracker = Guarded(TensorBoard(folder), clock)
    first, second, third = runs
    tracker.start(first)
    tracker.end(first)
    assert tracker.summary is None
    assert capsys.readouterr().err == ""

    kept = folder.rename(tmp_path / "kept")
    folder.write_text("in the way")
    tracker.start(second)
    tracker.log(second, {1: {"score": 1.0}})
    tracker.end(second)
    assert capsys.readouterr().err.startswith("TensorBoard: a trial could not be logged: [Errno ")

    folder.unlink()
    kept.rename(folder)
    clock.now = PAUSE - 1
    tracker.start(third)  # not tried: it is left alone for a while
    tracker.end(third)
    assert not folder.joinpath(*third.key).exists()
    clock.now = PAUSE
    tracker.start(third)
    tracker.end(third)
    assert folder.joinpath(*third.key).exists()

    rule, remedy = str(tracker.summary).splitlines()
    assert rule.startswith("TensorBoard shows 2 of this run's 4 trials not at all or in part: [Errno ")
    assert remedy == "  the storage and the report have them all"
    assert capsys.readouterr().err == ""  # once is enough


def test_a_run_that_fails_in_the_middle_is_shown_in_part(runs: list[Run], tmp_path: Path) -> None:
    clock = Clock()
    tracker = Guarded(TensorBoard(tmp_path), clock)
    first, second, _ = runs
    tracker.start(first)
    tracker.log(first, {1: {"score": "not a number"}})  # type: ignore[dict-item]
    tracker.start(second)
    clock.now = PAUSE
    tracker.end(first)
    assert tracker.missed == {str(first), str(second)}
    assert tracker.started == 2
    assert next(tmp_path.joinpath(*first.key).iterdir()).stat().st_size > 0


class Notes(Tracker):
    """Writes down what it is told."""

    name = "notes"

    def __init__(self) -> None:
        self.epochs: list[dict[int, dict[str, float]]] = []

    def start(self, run: Run) -> None:
        pass

    def log(self, run: Run, epochs: Epochs) -> None:
        self.epochs.append({epoch: dict(values) for epoch, values in epochs.items()})

    def end(self, run: Run) -> None:
        pass


def test_an_epoch_is_logged_once(tiny: SpecMaker, storage: BaseStorage) -> None:
    """As it was told first: the epoch that counts may be told once more at the end."""
    searcher = StudySearcher(open_studies(tiny(), storage), slots=1)
    searcher.suggest("a")
    notes, trial = Notes(), SimpleNamespace(trial_id="a")
    logger = TrialLogger(searcher, [notes])
    logger.on_trial_start(0, [], trial)
    rows = [{"epoch": epoch, "score": 10.0 - epoch, "retain_samples": 5} for epoch in (1, 2, 3)]
    for update in (
        Update("running", epochs=rows[:2]),
        Update("complete", epochs=[rows[2], {"epoch": 2, "score": 7.5, "retain_samples": 9}]),
    ):
        logger.on_trial_result(0, [], trial, {REPORT: update.dump()})
    both = [{1: {"score": 9.0, "retain_samples": 5.0}, 2: {"score": 8.0, "retain_samples": 5.0}}]
    assert notes.epochs == [*both, {3: {"score": 7.0, "retain_samples": 5.0}}]

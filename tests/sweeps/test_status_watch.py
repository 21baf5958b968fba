"""`sweeps status --watch` on real storages; workers answer at once, and between two looks the test goes on itself."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import RDBStorage
from rich.console import Console
from sqlalchemy import event
from typer.testing import CliRunner

from benchmarks.trivial_sweep import SPEC, answer
from sweeps.cli import watch
from sweeps.cli.app import app
from sweeps.cli.options import Options
from sweeps.cli.watch import Looks, draw, follow, in_lines, lines_of, screen
from sweeps.jobs.job import Update
from sweeps.plan import make_plan
from sweeps.record import empty_record, load_sweep
from sweeps.record.progress import FEWEST, StudyProgress, leaders, pace, progress
from sweeps.record.record import SweepRecord
from sweeps.spec import check_sizes, parse_spec
from sweeps.storage.lease import Lease
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import OLD_NAME, prepare


class Driver:
    """A sweep, of which trials are done when the test says so."""

    def __init__(self, runs: Path, cache: Path) -> None:
        spec = parse_spec({**SPEC, "cache": str(cache)})
        self.options = Options("trivial", runs)
        self.sweep = Sweep.at(spec, runs)
        self.storage = prepare(self.sweep)
        self.sweep.freeze(self.storage, check_sizes(spec, self.sweep.cache.folder))
        self.studies = Multiplexer(make_plan(spec), self.storage)
        self.lease: AbstractContextManager[Any] = nullcontext()
        self.done = 0

    def start(self) -> None:
        self.lease = Lease(self.storage, "trivial")
        self.lease.__enter__()

    def stop(self) -> None:
        self.lease.__exit__(None, None, None)

    def work(self, trials: int = 10_000, fail: str | None = None) -> None:
        while trials and (assignment := self.studies.next()) is not None:
            epochs = 1 if assignment.job.method == "oracle" else self.sweep.spec.unlearning.epochs
            ended = answer(assignment.job, epochs) if fail is None else Update("error", reason=fail)
            self.studies.finish(assignment, ended)
            trials, self.done = trials - 1, self.done + 1

    def look(self) -> watch.View:
        return Looks(self.sweep).again()


@pytest.fixture
def driver(tmp_path: Path, cache: Path) -> Driver:
    return Driver(tmp_path / "runs", cache)


def sweeps(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_it_follows_until_all_is_done(driver: Driver) -> None:
    driver.start()
    steps: list[Callable[[], None]] = [lambda: driver.work(4), lambda: None, driver.work]
    seen: list[int] = []
    last = follow(
        Looks(driver.sweep), lambda view: seen.append(view.tally.done.total()), 0, lambda seconds: steps.pop(0)()
    )
    driver.stop()
    assert seen == [0, 4, 4, driver.done]
    assert last.left == 0
    assert last.tally.planned.total() == driver.done


def test_it_ends_with_a_driver_that_stops_and_waits_for_one_that_has_not_come(driver: Driver) -> None:
    steps = [lambda: driver.work(2), driver.start, lambda: driver.work(1), driver.stop]
    held: list[bool] = []
    last = follow(
        Looks(driver.sweep), lambda view: held.append(view.held is not None), 0, lambda seconds: steps.pop(0)()
    )
    assert held == [False, False, True, True, False]
    assert last.left > 0


def test_what_happens_while_it_reads_is_seen_by_the_next_look(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(driver.sweep)

    def late(*arguments: Any, **options: Any) -> SweepRecord:
        record = load_sweep(*arguments, **options)
        driver.work(1)
        return record

    monkeypatch.setattr(watch, "load_sweep", late)
    assert looks.again().tally.done.total() == 0
    assert looks.again().tally.done.total() == 1


def test_trials_that_have_ended_are_read_once(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.work()
    looks = Looks(driver.sweep)
    opened: list[RDBStorage] = []

    def remembered(storage: RDBStorage) -> Any:
        opened.append(storage)
        return optuna.storages.get_storage(storage)

    monkeypatch.setattr(watch, "remembering", remembered)
    first = looks.again()
    read: list[str] = []
    event.listen(opened[0].engine, "before_cursor_execute", lambda *a: read.append(a[2]))
    again = looks.again()
    assert again.record is first.record
    assert read
    assert not [statement for statement in read if "FROM trial_" in statement]
    assert len(opened) == 1


def test_a_pause_grows_with_what_a_look_takes(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0, 100, 100.5, 200, 200.01])
    monkeypatch.setattr(watch.time, "process_time", lambda: next(ticks))
    pauses: list[float] = []

    class EnoughError(Exception):
        pass

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise EnoughError

    monkeypatch.setattr(watch, "SPARING", 10)
    with pytest.raises(EnoughError):
        follow(Looks(driver.sweep), lambda view: None, 2, sleep)
    assert pauses == [2, 5, 2]


@pytest.mark.parametrize("width", [120, 40])
def test_the_screen_is_as_wide_as_the_terminal(driver: Driver, width: int) -> None:
    driver.start()
    driver.work(6)
    driver.work(1, fail="Traceback\nValueError: no such thing as [bold] forgetting\x1b[2J")
    driver.work(8)
    view = driver.look()
    console = Console(file=io.StringIO(), width=width, height=50, force_terminal=True, color_system=None)
    bars = screen(console)
    draw(bars, view, driver.options)
    with console.capture() as captured:
        console.print(*bars.get_renderables(), sep="\n")
    driver.stop()
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert max(map(len, lines)) <= width
    for (stage, done, planned), line in zip(view.tally.rows, lines, strict=False):
        assert line.startswith(f"{stage} ")
        assert line.endswith(f"{done}/{planned}")
    text = " ".join(" ".join(lines).split())
    assert f"all {15}/{view.tally.planned.total()}" in "".join(c for c in text if c.isascii()).replace("  ", " ")
    assert f"trivial ({driver.sweep.spec.protocol} protocol)" in text
    assert f"running: process {os.getpid()} on " in text
    assert "1 trial failed; the last:" in text
    assert "no such thing as [bold] forgetting" in text
    assert "\x1b[2J" not in captured.get()
    assert "Traceback" not in text
    assert "(its best search trial, one forget set)" in text


def test_a_screen_that_becomes_narrower_is_drawn_narrower(driver: Driver) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    bars = screen(console)
    draw(bars, driver.look(), driver.options)
    for width in (120, 40, 30):
        console.width = width
        with console.capture() as captured:
            console.print(*bars.get_renderables(), sep="\n")
        assert max(len(line.rstrip()) for line in captured.get().splitlines()) <= width
        assert any(line.rstrip().endswith(f"0/{driver.look().left}") for line in captured.get().splitlines())


def test_without_a_terminal_each_change_is_a_line(driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    driver.start()
    driver.work(11)
    steps: list[Callable[[], None]] = [
        lambda: driver.work(3),
        lambda: None,
        lambda: driver.work(1, fail="ValueError: wrong"),
        driver.work,
    ]
    in_lines(Looks(driver.sweep), driver.options, sleep=lambda seconds: steps.pop(0)())
    driver.stop()
    lines = capsys.readouterr().out.splitlines()
    counts = [line for line in lines if "reference " in line]
    assert len(counts) == 4
    assert [line for line in lines if line.startswith("failed: ")] == [
        f"failed: {next(iter(watch.failures(driver.look().record).values()))}"
    ]
    assert sum(line.startswith("running: ") for line in lines) == 2  # when it was seen, and once nothing was left


def test_a_finished_sweep_ends_at_once_with_the_exit_code_of_status(driver: Driver) -> None:
    driver.work()
    where = ["--runs", str(driver.options.runs)]
    result = sweeps("status", "trivial", "--watch", *where)
    assert result.exit_code == sweeps("status", "trivial", *where).exit_code == 0
    assert result.stdout.splitlines()[-1] == "all is done"


def test_a_sweep_of_an_older_version_is_watched(runs: Path) -> None:
    result = sweeps("status", OLD_NAME, "--watch", "--runs", str(runs))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "all is done"


def test_failures_make_its_exit_code(driver: Driver) -> None:
    driver.work(12)
    driver.work(1, fail="ValueError: wrong")
    driver.work()
    result = sweeps("status", "trivial", "--watch", "--runs", str(driver.options.runs))
    assert result.exit_code == 1
    assert "ValueError: wrong" in result.stdout


def test_ctrl_c_is_no_failure(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "follow", interrupt)
    assert sweeps("status", "trivial", "--watch", "--runs", str(driver.options.runs)).exit_code == 0


def test_a_sweep_that_was_not_started_is_told_as_by_status(tmp_path: Path) -> None:
    where = ["--runs", str(tmp_path)]
    plain, watched = sweeps("status", "smoke", *where), sweeps("status", "smoke", "--watch", *where)
    assert watched.exit_code == plain.exit_code == 2
    assert watched.stderr == plain.stderr
    assert "sweeps run smoke" in watched.stderr


@pytest.mark.parametrize("option", ["--json", "-v"])
def test_one_screen_is_no_document(option: str) -> None:
    result = sweeps("status", "smoke", "--watch", option)
    assert result.exit_code == 2
    assert f"take {option} without it" in " ".join(result.stderr.replace("│", " ").split())


def test_a_storage_that_may_only_be_read_is_copied_anew(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sweeps.storage.open", "sweeps.cli.watch"):
        monkeypatch.setattr(f"{module}.is_read_from_copy", lambda url: True)
    looks = Looks(driver.sweep)
    assert looks.again().tally.done.total() == 0
    driver.work(2)
    assert looks.again().tally.done.total() == 2


# --- pace --------------------------------------------------------------------------------------------------------------


def ended(times: list[tuple[str, float, float]]) -> SweepRecord:
    """A record of trials: the stage of each, and when it began and ended, in seconds."""
    start = pd.Timestamp("2026-01-01 12:00")
    rows = [
        {
            "stage": stage,
            "state": "COMPLETE",
            "started": start + pd.Timedelta(seconds=begun),
            "completed": start + pd.Timedelta(seconds=end),
            "requeued": False,
            "superseded": False,
        }
        for stage, begun, end in times
    ]
    record = empty_record(parse_spec(SPEC))
    object.__setattr__(record, "trials", pd.DataFrame(rows))
    return record


def steady(stage: str, first: float, count: int, each: float = 10) -> list[tuple[str, float, float]]:
    return [(stage, first + i * each, first + (i + 1) * each) for i in range(count)]


def test_the_pace_is_that_of_the_trials_ends() -> None:
    found = pace(ended(steady("search", 0, 8)))
    assert found is not None
    assert (found.trials, found.seconds) == (8, 10)
    assert pace(ended(steady("search", 0, FEWEST - 1))) is None


def test_a_night_without_a_driver_does_not_count() -> None:
    before, after = steady("search", 0, 30), steady("search", 50_000, 6, each=5)
    found = pace(ended(before + after))
    assert found is not None
    assert (found.trials, found.seconds) == (6, 5)
    assert pace(ended(before + after[: FEWEST - 1])) is None
    record = ended(before + after[:1])
    record.trials.loc[len(before), ["state", "completed"]] = ["RUNNING", pd.NaT]
    assert pace(record) is None


def test_models_out_of_the_cache_make_no_pace_and_training_one_is_no_break() -> None:
    cached = [("reference", 0.0, 0.1 * i) for i in range(1, 30)]
    assert pace(ended(cached)) is None
    training = [*steady("evaluation", 0, 5), ("reference", 50.0, 650.0), *steady("evaluation", 650, 5)]
    found = pace(ended(training))
    assert found is not None
    assert found.trials == 10
    assert math.isclose(found.seconds, 690 / 9)


def test_two_workers_halve_the_pace() -> None:
    both = [trial for pair in zip(steady("search", 0, 20), steady("search", 5, 20), strict=True) for trial in pair]
    found = pace(ended(both))
    assert found is not None
    assert found.seconds == 5


def test_time_left_is_told_only_while_somebody_runs_it(driver: Driver) -> None:
    driver.work(20)
    record = replace(driver.look().record)
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(len(record.trials)) * 60.0, unit="s")
    record.trials["started"], record.trials["completed"] = times - pd.Timedelta(seconds=60), times
    studies = list(progress(record))
    idle = watch.View(record, studies, None)
    assert not any("pace" in line for line in lines_of(idle, driver.options))
    busy = watch.View(record, studies, {"pid": 1, "host": "here", "id": "x"})
    (line,) = [line for line in lines_of(busy, driver.options) if "pace" in line]
    found = pace(record)
    assert found is not None
    assert line == f"about {busy.left} min, if they end at the pace of the last {found.trials}"
    assert "best so far (scores, lower is better):" in lines_of(busy, driver.options)
    ended_all = [replace(study, done=study.planned) for study in studies]
    assert "best (scores, lower is better):" in lines_of(replace(idle, studies=ended_all), driver.options)


# --- best so far -------------------------------------------------------------------------------------------------------


def study(stage: str, method: str, score: float) -> StudyProgress:
    return StudyProgress(stage, "random", method, 5, 5, 0, 0, 0, score)


def test_the_best_is_of_the_surest_stage_that_can_compare_all_methods() -> None:
    searches = [study("search", "sure", 0.5), study("search", "scrub", 0.4)]
    confirmed = [study("confirmation", "sure", 0.6), study("confirmation", "scrub", 0.7)]
    evaluated = [study("evaluation", "sure", math.nan), study("evaluation", "scrub", 0.9)]
    floor = [study("evaluation", "oracle", 0.1)]
    assert [s.method for s in leaders(searches)] == ["scrub"]
    assert [(s.stage, s.method) for s in leaders(searches + confirmed + evaluated + floor)] == [
        ("confirmation", "sure")
    ]
    done = [study("evaluation", "sure", 1.0), evaluated[1]]
    assert [(s.stage, s.method) for s in leaders(searches + confirmed + done + floor)] == [("evaluation", "scrub")]
    assert [(s.stage, s.method) for s in leaders(evaluated)] == [("evaluation", "scrub")]
    assert list(leaders([study("search", "sure", math.nan), *floor])) == []

"""How fast a run says that its trials end, and how long it says that the others take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.trial import TrialState, create_trial

from sweeps.cli.progress import ENOUGH, Pace, add
from sweeps.cli.terminal import clock
from sweeps.plan import StudyPlan


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [500.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    return clock


def test_a_pace_is_of_what_ends_after_the_first(now: list[float]) -> None:
    """Ray took 500 seconds to start, which does not count."""
    pace = Pace()
    assert pace.per_second is None
    pace.add(False, 2)
    assert pace.per_second is None
    for ended in range(1, 9):
        now[0] += 2
        pace.add(False, 2)
        assert pace.per_second == (0.5 if ended >= ENOUGH else None)
    now[0] += 16  # nothing ends for as long as all that took
    assert pace.per_second == 0.25


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_is_left_takes_as_long_as_its_kind_does(now: list[float], workers: int) -> None:
    """Oracles of 30 seconds end before trials of 3: their pace would make ten times as much of what is left."""
    pace = Pace()
    pace.add(True, 30)
    for _ in range(10):
        now[0] += 30 / workers
        pace.add(True, 30)
    assert pace.left(2, 100) is None  # no trial of the 100's kind has ended yet
    assert pace.left(2, 0) == pytest.approx(2 * 30 / workers)
    for _ in range(10):
        now[0] += 3 / workers
        pace.add(False, 3)
    assert pace.left(2, 100) == pytest.approx((2 * 30 + 100 * 3) / workers)
    assert pace.left(0, 0) == 0


def test_models_that_the_cache_has_do_not_shorten_the_rest(now: list[float]) -> None:
    """Forty references end at once, and then trials of 3 seconds, one at a time."""
    pace = Pace()
    for _ in range(40):
        pace.add(True, 0.0)
    for _ in range(5):
        now[0] += 3
        pace.add(False, 3)
    assert pace.left(0, 100) == pytest.approx(300)


def planned(stage: Any, method: str) -> StudyPlan:
    return StudyPlan("tiny", stage, "random", method, 6, (), "test")


@pytest.mark.parametrize(
    ("stage", "method", "trained"),
    [("reference", "original", True), ("evaluation", "oracle", True), ("evaluation", "sure", False)],
)
def test_a_trial_takes_what_its_worker_measured(now: list[float], stage: str, method: str, trained: bool) -> None:
    """It was asked for while the one before it ran, whose time is not its own."""
    study: Any = SimpleNamespace(plan=planned(stage, method))
    pace = Pace()
    for attrs in ({"seconds": 2.0},) * 6 + ({},):
        ended = create_trial(state=TrialState.COMPLETE, value=0.0, user_attrs=dict(attrs))
        assignment: Any = SimpleNamespace(open_study=study, ended=ended)
        add(pace, assignment)
        now[0] += 2
    left = (3, 0) if trained else (0, 3)
    assert pace.left(*left) == pytest.approx(3 * 14 / 5)  # 5 after the first, in 14 seconds
    assert pace.left(*reversed(left)) is None


def test_the_original_as_it_is_does_not_count(now: list[float]) -> None:
    """It is measured at once, and first: it would promise that the trials to come take no longer."""
    study: Any = SimpleNamespace(plan=planned("evaluation", "original"))
    pace = Pace()
    for _ in range(6):
        ended = create_trial(state=TrialState.COMPLETE, value=0.0, user_attrs={"seconds": 0.1})
        add(pace, cast("Any", SimpleNamespace(open_study=study, ended=ended)))
        now[0] += 0.1
    assert pace.per_second is None


@pytest.mark.parametrize(("seconds", "told"), [(0.4, "0:00"), (89.9, "1:29"), (3599, "59:59"), (7267.2, "2:01:07")])
def test_times_that_have_passed_are_as_on_a_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told

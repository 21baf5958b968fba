"""What signals cut off, and what they do not."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.storages import BaseStorage

from sweeps.errors import SweepError
from sweeps.ray_tune.loggers import TrialLogger
from sweeps.ray_tune.runs import Run
from sweeps.ray_tune.trackers import Epochs, Tracker
from sweeps.signals import Interrupted, interruptible, postponed
from tests.sweeps.conftest import SpecMaker, open_studies


def test_a_signal_waits_for_the_end_of_the_block() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done: list[str] = []
    with pytest.raises(Interrupted, match="SIGTERM"), interruptible():
        _two_signals(done)
    assert done == ["after the first", "after the second"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_terminal_that_is_closed_stops_a_run_unless_it_was_started_not_to_mind() -> None:
    handler = signal.getsignal(signal.SIGHUP)
    with pytest.raises(Interrupted, match="SIGHUP"), interruptible():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == handler
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(), postponed():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, handler)


def test_another_thread_is_told_to_leave_a_run_to_the_main_one() -> None:
    def enter() -> None:
        with interruptible():
            pass

    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(SweepError, match="must be run in the main thread of its process"),
    ):
        pool.submit(enter).result()


def _two_signals(done: list[str]) -> None:
    with postponed():
        signal.raise_signal(signal.SIGTERM)
        done.append("after the first")
        signal.raise_signal(signal.SIGINT)
        done.append("after the second")
    done.append("after the block")


def test_without_a_signal_nothing_is_changed() -> None:
    with interruptible():
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(ValueError, match="its own"), postponed():
            raise ValueError("its own")
        assert signal.getsignal(signal.SIGINT) == handler


def test_in_another_thread_it_is_left_alone() -> None:
    with ThreadPoolExecutor(1) as pool, postponed():
        assert pool.submit(_whole).result() == "whole"


def _whole() -> str:
    with postponed():
        return "whole"


class Slow(Tracker):
    """A server that has begun a run, and says so only after Ctrl-C."""

    name = "slow"

    def __init__(self) -> None:
        self.shown: dict[Run, str] = {}

    def start(self, run: Run) -> None:
        signal.raise_signal(signal.SIGINT)
        self.shown[run] = "running"

    def log(self, run: Run, epochs: Epochs) -> None:
        """Nothing."""

    def end(self, run: Run) -> None:
        self.shown[run] = "ended"


def test_a_run_that_begins_as_ctrl_c_comes_is_ended(tiny: SpecMaker, storage: BaseStorage) -> None:
    tracker = Slow()
    searcher: Any = SimpleNamespace(assignments={"a": open_studies(tiny(), storage).next()})
    logger = TrialLogger(cast(Any, searcher), [tracker])
    with pytest.raises(Interrupted), interruptible():
        logger.on_trial_start(0, [], SimpleNamespace(trial_id="a"))
    assert list(tracker.shown.values()) == ["running"]
    logger.close()
    assert list(tracker.shown.values()) == ["ended"]

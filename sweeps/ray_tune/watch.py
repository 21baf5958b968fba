"""Trials that take too long: those past the time limit are ended, and of those silent for long a line is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sweeps.ray_tune.searcher import StudySearcher

#: A trial is said to be silent after so many of its study's median durations, and not before a minute.
MEDIANS, LEAST_SECONDS = 10.0, 60.0


@dataclass
class Times:
    """When a trial began and when it was last heard of, by this process's own clock."""

    began: float
    heard: float
    told: bool = False
    ended: bool = False


class Watch:
    """Looks at the trials that run, now and then.

    Args:
        limit: seconds that a trial may take, if there is a limit.
        end: ends the worker in a slot.
        host_of: the host of a slot.
    """

    def __init__(
        self,
        searcher: StudySearcher,
        limit: float | None,
        *,
        end: Callable[[str], None],
        host_of: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._searcher, self._limit, self._end, self._host_of, self._clock = searcher, limit, end, host_of, clock
        self._running: dict[str, Times] = {}

    def heard(self, trial_id: str) -> None:
        """A trial has reported."""
        if times := self._running.get(trial_id):
            times.heard = self._clock()

    def look(self, running: Iterable[str]) -> None:
        """See to the trials that are running now; the clock of one starts when it is first seen so."""
        now = self._clock()
        self._running = {trial_id: self._running.get(trial_id) or Times(now, now) for trial_id in running}
        for trial_id, times in self._running.items():
            slot = self._searcher.slot_of(trial_id)
            if slot is None or times.ended:
                continue
            if self._limit is not None and now - times.began > self._limit:
                times.ended = True
                self._searcher.time_out(trial_id, f"timed out after {self._limit:g} s (resources.trial_timeout)")
                self._end(slot)
            elif not times.told and now - times.heard > LEAST_SECONDS:
                times.told = self._told_of(trial_id, slot, now - times.heard)

    def _told_of(self, trial_id: str, slot: str, seconds: float) -> bool:
        """Say how long a trial has been silent, where that is long for its study."""
        assignment = self._searcher.assignments[trial_id]
        median = assignment.open_study.median_seconds
        if median is None or seconds <= MEDIANS * median:
            return False
        self._searcher.studies.on_silence(assignment, seconds, median, self._host_of(slot))
        return True

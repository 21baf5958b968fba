"""What a tracker (TensorBoard, MLflow) is, and that no failure of one is the sweep's: failures are counted, and said."""

from __future__ import annotations

import math
import sys
import textwrap
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

from sweeps.ray_tune.runs import Run

#: Seconds without another attempt after one has failed: the driver waits for each, and the trials for the driver.
PAUSE = 600.0

Epochs = Mapping[int, Mapping[str, float]]


class Tracker(ABC):
    """Shows each trial as a run of its own; any of these may raise."""

    name: str

    @abstractmethod
    def start(self, run: Run) -> None:
        """Begin a run."""

    @abstractmethod
    def log(self, run: Run, epochs: Epochs) -> None:
        """Log the score and metrics of some epochs."""

    @abstractmethod
    def end(self, run: Run) -> None:
        """Log the result, and close the run."""


class Guarded:
    """A tracker that never raises: after a failure it is left alone for a while, and trials that it misses are counted.

    Attributes:
        started: how many trials it was told of.
        missed: the trials of which it shows nothing, or not all.
    """

    def __init__(self, tracker: Tracker, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = tracker.name
        self.started = 0
        self.missed: set[str] = set()
        self._tracker, self._clock = tracker, clock
        self._open: set[Run] = set()
        self._not_before = -math.inf
        self._reason = ""

    def start(self, run: Run) -> None:
        """Begin a run, or miss it."""
        self.started += 1
        if self._try(run, partial(self._tracker.start, run)):
            self._open.add(run)

    def log(self, run: Run, epochs: Epochs) -> None:
        """Log epochs of a run that it shows."""
        if run in self._open:
            self._try(run, partial(self._tracker.log, run, epochs))

    def end(self, run: Run) -> None:
        """Close a run that it shows."""
        if run in self._open:
            self._try(run, partial(self._tracker.end, run))
            self._open.discard(run)

    @property
    def summary(self) -> str | None:
        """What it misses, and why; None where that is nothing."""
        if not self.missed:
            return None
        return (
            f"{self.name} shows {len(self.missed)} of this run's {self.started} trials not at all or in part: {self._reason}\n"
            "  the storage and the report have them all"
        )

    def _try(self, run: Run, log: Callable[[], None]) -> bool:
        if self._clock() < self._not_before:
            self.missed.add(str(run))
            return False
        try:
            log()
        except Exception as error:  # whatever it is, it is no trial's fault
            self._not_before = self._clock() + PAUSE
            self.missed.add(str(run))
            if not self._reason:
                self._reason = in_short(error)
                echo(
                    f"{self.name}: a trial could not be logged: {self._reason}\n"
                    f"  the sweep goes on; {self.name} misses trials, and is tried again every {PAUSE / 60:.0f} minutes"
                )
            return False
        return True


def echo(text: str) -> None:
    """Print a line for the user."""
    print(text, file=sys.stderr, flush=True)


def in_short(error: Exception) -> str:
    """An error in a line."""
    return textwrap.shorten(str(error), 500) or type(error).__name__

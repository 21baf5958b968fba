"""`sweeps status --watch`: one screen that follows a sweep; plain lines where stdout is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.storages import BaseStorage
from rich.console import Console

from sweeps.cli.options import Options
from sweeps.cli.progress import LINE_SECONDS, Bars, Tally
from sweeps.cli.status import driver_of, going_on, who_runs
from sweeps.cli.terminal import DONE, FAILED, count_of, duration, errors_to_exit_code
from sweeps.record import SweepRecord, load_sweep, significant, uncertain
from sweeps.record.fingerprint import fingerprint
from sweeps.record.progress import StudyProgress, leaders, pace, progress
from sweeps.signals import interruptible
from sweeps.storage import storage_errors
from sweeps.storage.open import is_read_from_copy, remembering
from sweeps.sweep import Sweep
from sweeps.text import clean, in_brief

LOOK_SECONDS = 2.0
#: A look at a big storage takes long: the pause after it is so many times the processor's time that it took.
SPARING = 10
#: Failures whose reasons are shown.
MOST_FAILURES = 3


@dataclass(frozen=True)
class View:
    """A sweep as one look saw it; `held` says who runs it."""

    record: SweepRecord
    studies: list[StudyProgress]
    held: Mapping[str, Any] | None

    @property
    def left(self) -> int:
        return sum(study.left for study in self.studies)

    @property
    def failed(self) -> int:
        return sum(study.failed for study in self.studies)

    @property
    def tally(self) -> Tally:
        return Tally.sum((study.stage, study.done, study.planned) for study in self.studies)


class Looks:
    """Looks at a sweep again and again; what has not changed is not read again.

    Raises:
        SweepError: nothing has been run of it, or it has been removed since.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._opened: BaseStorage | None = None
        self._seen = ""
        self._record: SweepRecord | None = None

    def again(self) -> View:
        """How the sweep stands now."""
        name = self._sweep.spec.name
        if self._opened is None or is_read_from_copy(self._sweep.url):
            self._opened = remembering(self._sweep.open_to_read())
        seen = fingerprint(self._opened, name)  # before the reading: what changes meanwhile is seen by the next look
        if self._record is None or seen != self._seen:
            self._record, self._seen = load_sweep(self._opened, name, importances=False), seen
        return View(self._record, list(progress(self._record)), driver_of(self._opened, name))


@errors_to_exit_code
def watch_status(options: Options) -> int:
    """Follow a sweep until all is done, its driver has stopped, or the user has seen enough."""
    looks = Looks(options.find())
    try:
        with interruptible(), storage_errors():
            view = _on_screen(looks, options) if _is_screen() else in_lines(looks, options)
    except KeyboardInterrupt:
        return DONE
    return FAILED if view.failed else DONE


def _is_screen() -> bool:
    return sys.stdout.isatty() and not Console().is_dumb_terminal


def follow(
    looks: Looks, show: Callable[[View], None], pause: float, sleep: Callable[[float], None] = time.sleep
) -> View:
    """Look, show, and wait at least `pause` seconds, until all is done or a driver that was seen is gone; the last view."""
    view: View | None = None
    while True:
        begun, before = time.process_time(), view
        view = looks.again()
        show(view)
        if not view.left or (before is not None and before.held and not view.held):
            return view
        took = 0.0 if before is None else time.process_time() - begun  # the first reads everything, no later one does
        sleep(max(pause, SPARING * took))


def _on_screen(looks: Looks, options: Options) -> View:
    with screen(Console()) as bars:
        return follow(looks, lambda view: draw(bars, view, options), LOOK_SECONDS)


def screen(console: Console) -> Bars:
    """An empty screen to draw on."""
    return Bars(console, 1000, clock=False, per_second=1)


def draw(bars: Bars, view: View, options: Options) -> None:
    """Show a view: bars, who runs it and for how long, the best so far, failures."""
    bars.note = "\n".join(clean(line) for line in lines_of(view, options))
    bars.show(view.tally)


def lines_of(view: View, options: Options) -> Iterator[str]:
    """What stands below the bars."""
    record = view.record
    yield f"{record.name} ({record.spec['protocol']} protocol)"
    yield who_runs(view.held, view.left, going_on(record, options))
    if to_come := _to_come(view):
        yield to_come
    best = list(leaders(view.studies))
    if best:
        yield f"best{so_far(view)} (scores, lower is better):"
    yield from (f"  {study.scenario}: {_best(study)}" for study in best)
    if view.failed:
        yield f"{count_of(view.failed)} failed; the last:"
        yield from (f"  {reason}" for reason in failures(record).values())


def so_far(view: View) -> str:
    """Said of what more trials may change."""
    return " so far" if view.left else ""


def _to_come(view: View) -> str:
    """How long what is left takes, where somebody is at it and enough trials have told."""
    last = pace(view.record) if view.held and view.left else None
    if last is None:
        return ""
    return f"about {duration(view.left * last.seconds)}, if they end at the pace of the last {last.trials}"


def _best(study: StudyProgress) -> str:
    """Which method, its score, and what that is the score of."""
    if study.stage == "search":
        return f"{study.method} {significant(study.score)} (its best search trial, one forget set)"
    score = uncertain(study.score, study.spread, study.runs)
    return f"{study.method} {score} ({study.stage}, n = {study.runs})"


def failures(record: SweepRecord) -> dict[tuple[str, int], str]:
    """The last trials that failed, by study and number, each with its reason in brief."""
    failed = record.counted[record.counted["state"] == "FAIL"].sort_values("completed").tail(MOST_FAILURES)
    reasons = failed["fail_reason"].fillna("").astype(str).str.strip().replace("", "unknown")
    return {
        (study, number): f"{study} trial {number}: {clean(in_brief(reason))}"
        for study, number, reason in zip(failed["study"], failed["number"], reasons, strict=True)
    }


def in_lines(looks: Looks, options: Options, **clock: Any) -> View:
    """A line whenever something has changed, one for each failure, and one on who runs it when that changes."""
    said: set[object] = set()

    def say(key: object, line: str) -> None:
        if key not in said:
            said.add(key)
            print(clean(line), flush=True)

    def show(view: View) -> None:
        for trial, reason in failures(view.record).items():
            say(trial, f"failed: {reason}")
        best = "; ".join(f"{study.scenario}: {_best(study)}" for study in leaders(view.studies))
        parts = [f"{view.tally}", f"{view.failed} failed" if view.failed else "", best and f"best{so_far(view)} {best}"]
        counts = "; ".join(filter(None, parts))
        say(counts, "; ".join(filter(None, [f"{time.strftime('%H:%M:%S')}  {counts}", _to_come(view)])))
        driver = (view.held or {}).get("id")
        say(("driver", driver, view.left == 0), who_runs(view.held, view.left, going_on(view.record, options)))

    return follow(looks, show, LINE_SECONDS, **clock)

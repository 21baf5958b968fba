"""Shows a run while it goes: bars on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

from optuna.trial import TrialState
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from sweeps.cli.terminal import clock, duration, echo
from sweeps.plan import FLOOR, STAGES, StudyPlan
from sweeps.record import significant
from sweeps.studies.multiplexer import Assignment, Multiplexer
from sweeps.text import clean, in_brief

LINE_SECONDS = 10.0
#: Trials that have ended since the first look before it is said how fast they do.
ENOUGH = 4


class Bars(Progress):
    """One bar a stage, each in a line of the terminal's width, and below them a `note`, wrapped between words.

    Args:
        most: trials there will be in all.
        clock: whether each bar tells for how long it has been shown.
        per_second: how often the screen is drawn again, though nothing has changed but its width.
    """

    def __init__(self, console: Console, most: int, *, clock: bool = True, per_second: float = 10) -> None:
        self.note, self._screen = "", console  # drawn once before there is `self.console`
        numbers, elapsed, stage = 2 * len(str(most)) + 1, 7, 12
        self._beside = numbers + stage + 2 + (elapsed + 1) * clock
        self._bar = BarColumn()
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=stage)),
            self._bar,
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=numbers)),
        ]
        if clock:
            columns.append(TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=elapsed)))
        super().__init__(*columns, console=console, refresh_per_second=per_second)

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars and the note."""
        self._bar.bar_width = max(1, min(30, self._screen.width - self._beside))
        yield from super().get_renderables()
        if self.note:
            yield Text(self.note)

    def show(self, tally: Tally) -> None:
        """Draw a bar for each stage of `tally`, and one for all of them."""
        known = {task.description: task.id for task in self.tasks}
        for name, done, planned in (*tally.rows, ("all", tally.done.total(), tally.planned.total())):
            if name in known:
                self.update(known[name], total=planned, completed=done)
            else:
                self.add_task(name, total=planned, completed=done)


@dataclass(frozen=True)
class Tally:
    """Trials done and planned, per stage and in all."""

    done: Counter[str]
    planned: Counter[str]

    @staticmethod
    def of(studies: Multiplexer) -> Tally:
        return Tally.sum((study.plan.stage, study.final, study.planned) for study in studies.open_studies)

    @staticmethod
    def sum(counts: Iterable[tuple[str, int, int]]) -> Tally:
        """Of studies, each by its stage and its trials done and planned."""
        done: Counter[str] = Counter()
        planned: Counter[str] = Counter()
        for stage, ended, expected in counts:
            done[stage] += ended
            planned[stage] += expected
        return Tally(done, planned)

    @property
    def rows(self) -> list[tuple[str, int, int]]:
        """Stage, trials done and planned, in the order in which stages begin."""
        return [(stage, self.done[stage], self.planned[stage]) for stage in STAGES if self.planned[stage]]

    def __str__(self) -> str:
        return ", ".join(f"{stage} {done}/{planned}" for stage, done, planned in self.rows)


@contextmanager
def watch(studies: Multiplexer) -> Iterator[None]:
    """Follow `studies` until the block ends."""
    console = Console(stderr=True)
    with _bars(studies, console) if console.is_terminal else _lines(studies):
        yield


@contextmanager
def unwatched(studies: Multiplexer) -> Iterator[None]:
    """Follow `studies` without a word but of what fails."""

    def show(assignment: Assignment, state: TrialState) -> None:
        if state == TrialState.FAIL:
            echo(_failure(assignment))

    studies.listeners.append(show)
    yield


class Pace:
    """How fast trials end, from the first that does: what comes before, Ray's start, says nothing of what is left.

    Models that are trained from scratch, all of them early, and trials that unlearn take times of their own. What is only
    measured, the original as it is, does not count: it takes next to none.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._took: dict[bool, list[float]] = {True: [], False: []}

    def add(self, trained: bool, seconds: float) -> None:
        """A trial has ended: whether it trained a model from scratch, and how long it ran."""
        if self._began is None:
            self._began = time.monotonic()
        else:
            self._took[trained].append(seconds)

    @property
    def per_second(self) -> float | None:
        """None until enough have ended since the first."""
        ended = sum(map(len, self._took.values()))
        elapsed = self._elapsed
        return ended / elapsed if ended >= ENOUGH and elapsed > 0 else None

    def left(self, trained: int, unlearnt: int) -> float | None:
        """Seconds that so many of each kind take yet, with as many side by side as so far; None where one has not been seen."""
        took, elapsed = self._took, self._elapsed
        work = sum(map(sum, took.values()))
        to_come = {True: trained, False: unlearnt}
        if self.per_second is None or not work or any(to_come[kind] and not took[kind] for kind in took):
            return None
        return elapsed / work * sum(to_come[kind] * fmean(took[kind]) for kind in took if to_come[kind])

    @property
    def _elapsed(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began


def _trains(plan: StudyPlan) -> bool:
    """Whether a study's trials train a model from scratch."""
    return plan.stage == "reference" or plan.method == FLOOR


def add(pace: Pace, assignment: Assignment) -> None:
    """A trial has ended: it took what its worker measured, without the wait since it was asked for."""
    seconds = assignment.ended.user_attrs.get("seconds") if assignment.ended else None
    plan = assignment.open_study.plan
    if seconds is not None and (plan.unlearns or _trains(plan)):
        pace.add(_trains(plan), float(seconds))


def summary(studies: Multiplexer, pace: Pace) -> str:
    """Rate, time left and the best search score so far."""
    left: Counter[bool] = Counter()
    for study in studies.open_studies:
        if study.plan.unlearns or _trains(study.plan):
            left[_trains(study.plan)] += max(0, study.planned - study.final)
    rate, seconds, parts = pace.per_second, pace.left(left[True], left[False]), []
    if rate is not None:
        parts.append(f"{rate:.1f} trials/s" if rate >= 1 else f"{60 * rate:.1f} trials/min")
    if seconds:
        parts.append(f"{duration(seconds)} left")
    best = [
        (s.best_value, f"{s.plan.scenario}/{s.plan.method}")
        for s in studies.searches.values()
        if s.best_value is not None
    ]
    if best:
        value, where = min(best)
        parts.append(f"best {significant(value)} ({where})")
    return ", ".join(parts)


@contextmanager
def _bars(studies: Multiplexer, console: Console) -> Iterator[None]:
    tally, pace = Tally.of(studies), Pace()
    with Bars(console, tally.planned.total()) as progress:
        progress.show(tally)
        progress.note = "" if studies.done else "starting Ray"

        def show(assignment: Assignment, state: TrialState) -> None:
            add(pace, assignment)
            progress.note = summary(studies, pace)
            progress.show(Tally.of(studies))
            if state == TrialState.FAIL:
                progress.console.print(Text(_failure(assignment)))

        studies.listeners.append(show)
        studies.on_silence = lambda *silence: progress.console.print(Text(_silence(*silence)))
        yield


@contextmanager
def _lines(studies: Multiplexer) -> Iterator[None]:
    started, pace = time.monotonic(), Pace()
    last = [started]

    def line() -> str:
        took = clock(time.monotonic() - started)
        return f"{took:>7}  {'; '.join(filter(None, (str(Tally.of(studies)), summary(studies, pace))))}"

    def show(assignment: Assignment, state: TrialState) -> None:
        add(pace, assignment)
        if state == TrialState.FAIL:
            echo(_failure(assignment))
        if time.monotonic() - last[0] > LINE_SECONDS:
            last[0] = time.monotonic()
            echo(line())

    studies.listeners.append(show)
    studies.on_silence = lambda *silence: echo(_silence(*silence))
    yield
    echo(line())


def _silence(assignment: Assignment, seconds: float, median: float, host: str) -> str:
    where = f"{assignment.open_study.plan.name} trial {assignment.trial.number} on host {host}"
    hint = "" if assignment.open_study.spec.resources.trial_timeout else "; resources.trial_timeout ends such trials"
    return clean(
        f"no word for {duration(seconds)} from {where}, where a trial takes {duration(median)}: it may hang{hint}"
    )


def _failure(assignment: Assignment) -> str:
    attrs = assignment.ended.user_attrs if assignment.ended else {}
    reason = clean(in_brief(str(attrs.get("fail_reason", ""))) or "unknown")
    return f"failed: {assignment.open_study.plan.name} trial {assignment.trial.number}: {reason}"

"""What a user of the command line can get wrong, told in one screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where, which rule, what was found, and what to do.

    `place` is where the key stands: `line 4`, or `--set`.
    """

    key: str
    rule: str
    value: str = ""
    remedy: str = ""
    place: str = ""

    def __str__(self) -> str:
        got = f", got {self.value}" if self.value else ""
        todo = f" — {self.remedy}" if self.remedy else ""
        return f"{self.key}: {self.rule}{got}{todo}"


class SweepError(Exception):
    """Bad input or an unusable place; the message is for the user, no traceback is shown, exit code 2."""


class DeviceLostError(SweepError):
    """A process can no longer use its GPU (CUDA: what fails once fails for ever): only a new one can."""


class LostError(SweepError):
    """The sweep's storage is another driver's now, or away: why a driver has ended itself by a signal."""


class SpecError(SweepError):
    """Everything that is wrong with a sweep file, at once."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source, self.problems = source, tuple(problems)
        count = f"{len(problems)} error" + ("s" if len(problems) > 1 else "")
        lines = [f"  {_placed(problem)}" for problem in problems]
        super().__init__("\n".join([f"{source}: {count}", *lines]))


def at_once(source: str, *checks: Callable[[], object]) -> None:
    """Carry out checks one after another, whatever each of them finds.

    Raises:
        SpecError: everything that they found.
    """
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except SpecError as error:
            here = [
                replace(p, place=p.place or ("" if error.source == source else error.source)) for p in error.problems
            ]
            problems += here
    if problems:
        raise SpecError(source, problems)


def _placed(problem: Problem) -> str:
    """A problem after its place; an option is followed by the key as one would type it."""
    if not problem.place:
        return str(problem)
    return f"{problem.place}{' ' if problem.place.startswith('-') else ': '}{problem}"

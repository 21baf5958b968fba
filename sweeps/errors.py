"""What a user of the command line can get wrong, told in one screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where, which rule, what was found, and what to do."""

    key: str
    rule: str
    value: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        got = f", got {self.value}" if self.value else ""
        todo = f" — {self.remedy}" if self.remedy else ""
        return f"{self.key}: {self.rule}{got}{todo}"


class SweepError(Exception):
    """Bad input or an unusable place; the message is for the user, no traceback is shown, exit code 2."""


class SpecError(SweepError):
    """Everything that is wrong with a sweep file, at once."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source, self.problems = source, tuple(problems)
        count = f"{len(problems)} error" + ("s" if len(problems) > 1 else "")
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)]))

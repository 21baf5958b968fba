"""What can go wrong in an unlearning run, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnlearnError(Exception):
    """Base of the errors this package raises for its caller to show."""


class DataError(UnlearnError):
    """A data set that cannot be used; the message names the file or the class."""


class ModelError(UnlearnError):
    """A network or its weights that cannot be used with the data; the message says what differs."""


class UnknownNameError(UnlearnError):
    """A name that nothing is registered under; the message offers the nearest one."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        self.kind, self.name, self.valid = kind, name, sorted(valid)
        super().__init__(f"unknown {kind} {name!r}, {suggest(name, self.valid)}")


class ComponentError(UnlearnError):
    """A component of the user's own that cannot be had; the message has the import's own error.

    Attributes:
        name: as it was asked for, `package.module:Name`.
        reason: what went wrong.
        remedy: what may help.
    """

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        self.name, self.reason, self.remedy = name, reason, remedy
        super().__init__(f"{name}: {reason} — {remedy}")

    def __reduce__(self) -> tuple[type[ComponentError], tuple[str, str, str]]:
        return (ComponentError, (self.name, self.reason, self.remedy))


class MetricError(UnlearnError):
    """A metric of finite outputs that is not a finite number; it is named."""


class DivergedError(UnlearnError):
    """The model's weights or outputs stopped being finite: in the epoch named (1-based); None where a reference trained.

    Attributes:
        samples: how many had passed forward and backward, where that is told.
    """

    def __init__(self, epoch: int | None, samples: int | None = None) -> None:
        self.epoch, self.samples = epoch, samples
        super().__init__("diverged in training" if epoch is None else f"diverged at epoch {epoch}")

    def __reduce__(self) -> tuple[type[DivergedError], tuple[int | None, int | None]]:
        return (DivergedError, (self.epoch, self.samples))


def suggest(name: str, valid: Iterable[str]) -> str:
    """Words that lead from a wrong name to a right one: the nearest, else all of them."""
    names = sorted(valid)
    if not names:
        return "there is none to choose from"
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(names)}"

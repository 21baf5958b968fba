"""Trials that are run again with the same parameters: which of them count no more, and which are owed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from sweeps.plan import StudyPlan
from sweeps.spec.space import Values
from sweeps.studies.trials import Key, trial_key

FINAL = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
INTERRUPTED = "interrupted: the driver stopped"

#: Tells trials of a study apart.
RetryFilter = Callable[[StudyPlan, FrozenTrial], bool]


@dataclass(frozen=True)
class Retry:
    """Parameters to run again: of which trial, in which ranges, and how many workers have died on them so far."""

    number: int
    params: Values
    distributions: dict[str, BaseDistribution]
    attempt: int
    key: Key

    @staticmethod
    def of(trial: FrozenTrial | Trial, attempt: int) -> Retry:
        return Retry(trial.number, trial.params, trial.distributions, attempt, trial_key(trial))

    @property
    def attrs(self) -> dict[str, int]:
        """What the new trial says of the old one."""
        return {"retry_of": self.number, "attempt": self.attempt}


def attempt_of(attrs: Mapping[str, Any]) -> int:
    """How many workers had died on a trial's parameters before it began."""
    return int(attrs.get("attempt", 0))


def superseded_numbers(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of a study's trials that count towards nothing: queued again, or failed for good and run again since."""
    return {trial.number for trial in trials if requeued(trial)} | _run_again(trials)


def pending_retries(trials: Sequence[FrozenTrial], also: Callable[[FrozenTrial], bool]) -> Iterator[Retry]:
    """What an earlier driver queued again and did not start, and whatever is final and `also` to be run once more."""
    again = _run_again(trials)
    for trial in trials:
        if trial.number in again:
            continue
        if requeued(trial):
            died = trial.user_attrs["fail_reason"] != INTERRUPTED
            yield Retry.of(trial, attempt_of(trial.user_attrs) + died)
        elif trial.state in FINAL and also(trial):
            yield Retry.of(trial, 0)


def might_end_otherwise(trial: FrozenTrial) -> bool:
    """Whether a trial failed, and not by divergence: a run is a function of its parameters, and would diverge again."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get("outcome") != "diverged"


def requeued(trial: FrozenTrial) -> bool:
    """Whether a trial was cut off, so that its parameters are run again."""
    return bool(trial.user_attrs.get("requeued"))


def _run_again(trials: Sequence[FrozenTrial]) -> set[int]:
    return {trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs}


def no_trial(plan: StudyPlan, trial: FrozenTrial) -> bool:
    """None is run again."""
    return False


def failed_trials(plan: StudyPlan, trial: FrozenTrial) -> bool:
    """Those that failed for good, and might end otherwise."""
    return might_end_otherwise(trial)

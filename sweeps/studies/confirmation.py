"""The confirmation: a search's leaders again on further tuning forget sets, thinned out round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from sweeps.plan import ForgetDraw
from sweeps.spec.schema import Round
from sweeps.spec.space import Values
from sweeps.studies.winners import Candidate, Ranking, Winner

#: How the trial of a configuration on a forget set ended; None while it has not.
Outcome = Callable[[Values, ForgetDraw], FrozenTrial | None]


@dataclass(frozen=True)
class Confirmation:
    """How far a confirmation is.

    Attributes:
        points: the trials of all rounds that have begun.
        to_come: at most so many trials in the rounds after those.
        done: whether all rounds have ended.
        winner: then; None where no leader went through all of them.
    """

    points: list[tuple[Values, ForgetDraw]]
    to_come: int
    done: bool
    winner: Winner | None = None


def confirm(
    ranking: Ranking, leaders: Sequence[Candidate], rounds: Sequence[Round], draws: Sequence[ForgetDraw], ended: Outcome
) -> Confirmation:
    """The confirmation of `leaders` (the best of the search first) as far as the trials that have ended decide it.

    A function of the trials alone, so that a driver that resumes comes to the same rounds. Each round runs so many of the
    best, by the smoothed mean curve over all further sets so far, on the next `sets` of `draws`; the set that the search saw is
    left out: it would flatter. Who failed on any set is out.
    """
    standing = [candidate.hyperparameters for candidate in leaders]
    points: list[tuple[Values, ForgetDraw]] = []
    seen = 0
    for number, part in enumerate(rounds):
        running = standing[: part.leaders]
        points += [(values, draw) for values in running for draw in draws[seen : seen + part.sets]]
        seen += part.sets
        trials = {i: [ended(values, draw) for draw in draws[:seen]] for i, values in enumerate(running)}
        if any(trial is None for found in trials.values() for trial in found):
            to_come = sum(min(later.leaders, len(running)) * later.sets for later in rounds[number + 1 :])
            return Confirmation(points, to_come, done=False)
        through = [
            ranking.confirmed(running[i], complete)
            for i, found in trials.items()
            if len(complete := [t for t in found if t is not None and t.state == TrialState.COMPLETE]) == seen
        ]
        ranked = ranking.ranked(through)
        standing = [candidate.hyperparameters for candidate in ranked]
    winner = Winner(ranked[0].hyperparameters, ranked[0].stop_epoch, "confirmation", seen) if ranked else None
    return Confirmation(points, 0, done=True, winner=winner)

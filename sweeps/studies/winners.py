"""Which hyperparameters won: the best of a search, or of its leaders confirmed on further forget sets."""

from __future__ import annotations

import math
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.objective import knee
from sweeps.spec.space import Space
from sweeps.studies.trials import DESIGN, Key, point_key


def winner(study: Study, space: Space) -> dict[str, Any] | None:
    """Hyperparameters of a search's best completed trial, in true units; None where none is complete."""
    return next(iter(leaders(study, space, 1)), None)


def leaders(study: Study, space: Space, count: int) -> list[dict[str, Any]]:
    """Hyperparameters of a search's best completed trials, best first, in true units; the earliest of equals.

    With two scores the knee of the Pareto front comes first, then the knee of what is left.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    chosen: list[FrozenTrial] = []
    while complete and len(chosen) < count:
        chosen.append(complete.pop(knee([trial.values for trial in complete])))
    return [space.decode(trial.params) for trial in chosen]


def confirmed(study: Study, space: Space) -> dict[str, Any] | None:
    """Hyperparameters with the best mean over a confirmation's forget sets; the earliest of equals, None where none is complete.

    The design names them: trials of earlier leaders do not count, and one that failed on any forget set is not chosen.
    """
    done = {point_key(t.params): t.values for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    names = [r.name for r in space.ranges]
    scores: dict[Key, list[float]] = {}
    for params in study.user_attrs.get(DESIGN) or []:
        values = done.get(point_key(params))
        score = math.inf if values is None else sum(values) / len(values)
        scores.setdefault(point_key({name: params[name] for name in names}), []).append(score)
    best = min(scores, key=lambda key: sum(scores[key]), default=None)
    if best is None or not math.isfinite(sum(scores[best])):
        return None
    return {**space.fixed, **dict(best)}

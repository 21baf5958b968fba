"""How much each searched parameter decides a search's score."""

from __future__ import annotations

import math
import warnings

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.spec.space import Space

#: Completed trials below which importances would be noise.
LEAST_TRIALS = 10


def parameter_importances(study: Study, space: Space) -> dict[str, float] | None:
    """Each hyperparameter's share in what tells the best trials of a search from all, by PED-ANOVA (Watanabe et al., 2023).

    Largest first, adding up to 1. The best are the best tenth, and at least five. None below `LEAST_TRIALS` completed trials,
    where the search has a single parameter, and where all others score as the last of the best does: nothing tells these from
    all, and the shares would be equal.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(space.ranges) < 2 or len(complete) < LEAST_TRIALS:
        return None
    quantile = max(0.1, 5 / len(complete))
    scores = sorted(map(_score, complete))
    if scores[math.ceil(quantile * len(scores)) - 1] == scores[-1]:
        return None
    from optuna.importance import (  # noqa: PLC0415  # half a second, for sklearn's forests, which are not used here
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental, and words on parameters of one value
        evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
        found = get_param_importances(study, evaluator=evaluator, target=_score)
    return {r.name: found[r.raw_name] for r in sorted(space.ranges, key=lambda r: -found.get(r.raw_name, 0.0))}


def _score(trial: FrozenTrial) -> float:
    return float(np.mean(trial.values))

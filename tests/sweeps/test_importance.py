"""Importances find the parameter that matters, and say nothing where too little is known."""

from __future__ import annotations

import optuna
import pytest

from sweeps.spec.space import Range, Space
from sweeps.studies.importance import LEAST_TRIALS, parameter_importances

SPACE = Space(
    (Range("lr", 1e-4, 1e-1, "log", False), Range("forget_batch_size", 8, 128, "power_of_two", True)), {"epochs": 2}
)


def study_of(trials: int, directions: int = 1) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(directions=["minimize"] * directions, sampler=sampler)
    for _ in range(trials):
        trial = study.ask(SPACE.distributions)
        score = (trial.params["lr"] * 100 - 3) ** 2
        study.tell(trial, [score] * directions)
    return study


@pytest.mark.parametrize("directions", [1, 2])
def test_what_matters_comes_first_under_its_own_name(directions: int) -> None:
    found = parameter_importances(study_of(60, directions), SPACE)
    assert found is not None
    assert list(found) == ["lr", "forget_batch_size"]
    assert sum(found.values()) == pytest.approx(1)
    assert found["lr"] > 0.8


def test_nothing_is_said_of_little() -> None:
    assert parameter_importances(study_of(LEAST_TRIALS - 1), SPACE) is None
    assert parameter_importances(study_of(LEAST_TRIALS), SPACE) is not None
    assert parameter_importances(study_of(60), Space(SPACE.ranges[:1], {})) is None


def test_failed_and_pruned_trials_do_not_count() -> None:
    study = study_of(LEAST_TRIALS - 1)
    for state in (optuna.trial.TrialState.FAIL, optuna.trial.TrialState.PRUNED):
        study.tell(study.ask(SPACE.distributions), state=state)
    assert parameter_importances(study, SPACE) is None


def test_nothing_is_said_where_the_best_score_as_the_others_do() -> None:
    """Four trials better than the rest, which are all alike (a rule that took the original itself): the best five are all."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(LEAST_TRIALS + 2):
        study.tell(study.ask(SPACE.distributions), 1.0 + number if number < 4 else 9.0)
    assert parameter_importances(study, SPACE) is None
    study.tell(study.ask(SPACE.distributions), 5.0)
    assert parameter_importances(study, SPACE) is not None

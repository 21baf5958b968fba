"""A storage as optuna-dashboard shows it: hyperparameters in true units, a column a metric, no JSON in a cell."""

from __future__ import annotations

import copy
from abc import update_abstractmethods
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeps.errors import SweepError
from sweeps.spec.space import Space
from sweeps.storage.open import remembering
from sweeps.studies.trials import METRICS

HYPERPARAMETERS = "hyperparameters"
#: Of a metric, whose every digit is in the tables beside the study.
DIGITS = 5


class TidyStorage(BaseStorage):
    """Another storage, whose trials and studies are shown tidied; what is written goes to it as it is.

    Args:
        spaces: what is searched under other names than its own, by study.
    """

    def __init__(self, storage: BaseStorage, spaces: Mapping[str, Space]) -> None:
        self.behind = remembering(storage)
        self.spaces = spaces

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        space = self.spaces.get(self.behind.get_study_name_from_id(study_id))
        return [tidied(trial, space) for trial in self.behind.get_all_trials(study_id, deepcopy, states)]

    def get_all_studies(self) -> list[Any]:
        studies = [copy.copy(study) for study in self.behind.get_all_studies()]
        for study in studies:
            study.user_attrs = {name: value for name, value in study.user_attrs.items() if _is_plain(value)}
        return studies

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> NoReturn:
        """Refuse it: to rename a study, the dashboard copies what it is shown, and deletes the study itself."""
        raise SweepError("the studies of a sweep are made and named by sweeps")

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> NoReturn:
        """Refuse it, likewise."""
        raise SweepError("the trials of a sweep are made by sweeps run")


def _passing_on(name: str) -> Callable[..., Any]:
    def call(self: TidyStorage, *args: Any, **options: Any) -> Any:
        return getattr(self.behind, name)(*args, **options)

    return call


for _name in TidyStorage.__abstractmethods__:
    setattr(TidyStorage, _name, _passing_on(_name))
update_abstractmethods(TidyStorage)  # type: ignore[type-abstract]  # until here


def tidied(trial: FrozenTrial, space: Space | None) -> FrozenTrial:
    """A copy of a trial: parameters in true units, and its metrics beside its other facts."""
    known: Mapping[str, Any] = trial.user_attrs.get(HYPERPARAMETERS) or {}
    named = {} if space is None else {r.raw_name: r for r in space.ranges if r.name != r.raw_name}
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    for raw, value in trial.params.items():
        sampled = trial.distributions[raw]
        if raw in named:
            name = named[raw].name
            params[name], distributions[name] = known.get(name, named[raw].decode(value)), named[raw].shown(sampled)
        else:
            params[raw], distributions[raw] = value, sampled
    metrics: Mapping[str, Any] = trial.user_attrs.get(METRICS) or {}
    beside = {**metrics, **trial.user_attrs, **metrics}  # in this order, and an attribute never in a metric's place
    shown = copy.copy(trial)
    shown.params, shown.distributions = params, distributions
    shown.user_attrs = {n: _short(v) for n, v in beside.items() if n not in params and _is_plain(v)}
    return shown


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, dict | list)


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value

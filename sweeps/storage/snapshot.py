"""A sweep's studies and trials as they stand, in ten statements: Optuna makes fourteen a study, and an object of each value."""

from __future__ import annotations

import copy
import json
import math
from abc import update_abstractmethods
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import sqlalchemy as sql
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

#: The layout of Optuna's tables that is read here; a storage of any other is read by Optuna.
REVISION = "v3.2.0.a"
NUMBERS = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
STUDIES = sql.table("studies", sql.column("study_id"), sql.column("study_name"))
TRIALS = sql.table(
    "trials",
    *(sql.column(name) for name in ("trial_id", "number", "study_id", "state")),
    *(sql.column(name, sql.DateTime) for name in ("datetime_start", "datetime_complete")),
)
#: What belongs to a trial, by table: its key there, and what is read.
PARTS = {
    "trial_params": ("param_id", "param_name", "param_value", "distribution_json"),
    "trial_values": ("trial_value_id", "objective", "value", "value_type"),
    "trial_intermediate_values": (
        "trial_intermediate_value_id",
        "step",
        "intermediate_value",
        "intermediate_value_type",
    ),
    "trial_user_attributes": ("trial_user_attribute_id", "key", "value_json"),
    "trial_system_attributes": ("trial_system_attribute_id", "key", "value_json"),
}
#: Of each trial, the rows of a table.
Rows = Mapping[int, list[tuple[Any, ...]]]


def snapshot(storage: BaseStorage, name: str) -> BaseStorage:
    """The sweep `name` as `storage` holds it now; `storage` itself where it is none of Optuna's databases as they are known."""
    if not isinstance(storage, RDBStorage) or storage.get_current_version() != REVISION:
        return storage
    studies = [s for s in storage.get_all_studies() if s.study_name == name or s.study_name.startswith(f"{name}/")]
    trials = defaultdict[str, list[FrozenTrial]](list)
    with storage.engine.connect() as connection:
        for study, trial in _read(connection, name):
            trials[study].append(trial)
    return Snapshot(studies, trials)  # type: ignore[abstract]  # the rest is refused


class Snapshot(BaseStorage):
    """Studies and all their trials as they stood; nothing can be written.

    Args:
        studies: as a storage's `get_all_studies` gives them.
        trials: of each study, by its name.
    """

    def __init__(self, studies: Sequence[Any], trials: Mapping[str, list[FrozenTrial]]) -> None:
        self._studies = list(studies)
        self._numbers = {study.study_name: number for number, study in enumerate(self._studies)}
        self._found = [trials.get(study.study_name, []) for study in self._studies]

    def get_all_studies(self) -> list[Any]:
        return list(self._studies)

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._numbers[study_name]

    def get_study_name_from_id(self, study_id: int) -> str:
        name: str = self._studies[study_id].study_name
        return name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return list(self._studies[study_id].directions)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return dict(self._studies[study_id].user_attrs)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return dict(self._studies[study_id].system_attrs)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        found = [t for t in self._found[study_id] if states is None or t.state in states]
        return copy.deepcopy(found) if deepcopy else found


def _refusing(name: str) -> Callable[..., NoReturn]:
    def call(self: Snapshot, *args: Any, **options: Any) -> NoReturn:
        raise NotImplementedError(f"{name}: a snapshot is read by whole studies, and not written to")

    return call


for _name in Snapshot.__abstractmethods__:
    setattr(Snapshot, _name, _refusing(_name))
update_abstractmethods(Snapshot)  # type: ignore[type-abstract]  # until here


def _read(connection: sql.Connection, name: str) -> Iterator[tuple[str, FrozenTrial]]:
    """The trials of a sweep, each with the name of its study.

    Trials come before what belongs to them: what ends meanwhile is still in progress, and has no values yet.
    """
    mine = sql.or_(STUDIES.c.study_name == name, STUDIES.c.study_name.startswith(f"{name}/", autoescape=True))
    joined = TRIALS.join(STUDIES, STUDIES.c.study_id == TRIALS.c.study_id)
    wanted = sql.select(TRIALS, STUDIES.c.study_name).select_from(joined).where(mine).order_by(TRIALS.c.trial_id)
    rows = connection.execute(wanted).all()
    parts = {table: _part(connection, table, joined, mine) for table in PARTS}
    for row in rows:
        yield row.study_name, _trial(row, {table: of.get(row.trial_id, []) for table, of in parts.items()})


def _part(connection: sql.Connection, table: str, joined: Any, mine: Any) -> Rows:
    key, *names = PARTS[table]
    part = sql.table(table, sql.column("trial_id"), *map(sql.column, PARTS[table]))
    wanted = sql.select(part.c.trial_id, *(part.c[name] for name in names))
    wanted = wanted.select_from(joined.join(part, part.c.trial_id == TRIALS.c.trial_id)).where(mine)
    found = defaultdict[int, list[tuple[Any, ...]]](list)
    for trial_id, *values in connection.execute(wanted.order_by(part.c[key])):
        found[trial_id].append(tuple(values))
    return found


def _trial(row: Any, parts: Mapping[str, list[tuple[Any, ...]]]) -> FrozenTrial:
    state = TrialState[row.state]
    ranges = {name: (value, _distribution(text)) for name, value, text in parts["trial_params"]}
    values = {objective: _number(*value) for objective, *value in parts["trial_values"]} if state.is_finished() else {}
    return FrozenTrial(
        number=row.number,
        state=state,
        value=None,
        values=[values[objective] for objective in sorted(values)] or None,
        datetime_start=row.datetime_start,
        datetime_complete=row.datetime_complete if state.is_finished() else None,
        params={name: of.to_external_repr(value) for name, (value, of) in ranges.items()},
        distributions={name: of for name, (_, of) in ranges.items()},
        user_attrs={key: json.loads(text) for key, text in parts["trial_user_attributes"]},
        system_attrs={key: json.loads(text) for key, text in parts["trial_system_attributes"]},
        intermediate_values={step: _number(*value) for step, *value in parts["trial_intermediate_values"]},
        trial_id=row.trial_id,
    )


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _number(value: float | None, kind: str) -> float:
    return NUMBERS[kind] if value is None else value

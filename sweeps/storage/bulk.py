"""Everything about a trial in one transaction, where Optuna's public calls make one of each attribute and epoch.

Optuna's ways to write many values at once go through three statements a value, a millisecond each; a trial has fifty. So rows
are put into the tables themselves, whose layout is what Optuna's files are made of: where it is not the known one, or the
storage is no database, the public calls do the same, slower.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sql
from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

#: The columns that are written, and all others that there may be: in any other layout nothing is written here.
LAYOUT = {
    "trials": {"trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"},
    "trial_params": {"param_id", "trial_id", "param_name", "param_value", "distribution_json"},
    "trial_user_attributes": {"trial_user_attribute_id", "trial_id", "key", "value_json"},
    "trial_intermediate_values": {
        "trial_intermediate_value_id",
        "trial_id",
        "step",
        "intermediate_value",
        "intermediate_value_type",
    },
    "trial_values": {"trial_value_id", "trial_id", "objective", "value", "value_type"},
}
Rows = list[dict[str, Any]]
#: How a trial ends: its state and values.
End = tuple[TrialState, Sequence[float] | None]


class TrialWriter:
    """Makes trials, adds to them and ends them, each time in one transaction: a kill leaves all of it or nothing."""

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        self._checked: dict[int, dict[str, BaseDistribution]] = {}

    def create(self, study_id: int, template: FrozenTrial) -> tuple[int, int]:
        """A new trial as `template` is, RUNNING and without values, with its identifier in the storage and its number.

        Raises:
            ValueError: its ranges are of another kind than those that the study has of the same name.
        """
        assert template.state == TrialState.RUNNING, "only a trial that runs is written in parts"
        if self._tables is None:
            trial_id = self.storage.create_new_trial(study_id, template_trial=template)
            return trial_id, self.storage.get_trial_number_from_id(trial_id)
        with self._engine.begin() as connection:
            if self._checked.get(study_id) != template.distributions:
                self._tables.check(connection, study_id, template.distributions)
                self._checked[study_id] = template.distributions
            trial_id, number = self._tables.insert_trial(connection, study_id, template.datetime_start)
            self._tables.insert(connection, "trial_params", _params(trial_id, template))
            self._tables.insert(connection, "trial_user_attributes", _attrs(trial_id, template.user_attrs))
        return trial_id, number

    def add(self, trial_id: int, attrs: Mapping[str, Any], steps: Mapping[int, float] | None = None) -> None:
        """Attach user attributes (in place of those of the same name) and intermediate values to a trial that runs."""
        steps = steps or {}
        if attrs or steps:
            self._write(trial_id, attrs, steps, None)

    def end(
        self,
        trial_id: int,
        state: TrialState,
        values: Sequence[float] | None,
        attrs: Mapping[str, Any],
        steps: Mapping[int, float],
    ) -> None:
        """The same, and close it for good with these values."""
        self._write(trial_id, attrs, steps, (state, values))

    def _write(self, trial_id: int, attrs: Mapping[str, Any], steps: Mapping[int, float], end: End | None) -> None:
        numbers = [*steps.values(), *((end and end[1]) or ())]
        if all(map(math.isfinite, numbers)) and self._written(trial_id, attrs, steps, end):
            return
        for name, value in attrs.items():
            self.storage.set_trial_user_attr(trial_id, name, value)
        for step, value in steps.items():
            self.storage.set_trial_intermediate_value(trial_id, step, value)
        if end is not None:
            self.storage.set_trial_state_values(trial_id, *end)

    def _written(self, trial_id: int, attrs: Mapping[str, Any], steps: Mapping[int, float], end: End | None) -> bool:
        """Whether it could be written at once; not to a trial that has ended, which Optuna refuses in its own words."""
        if self._tables is None:
            return False
        with self._engine.begin() as connection:
            if self._tables.state(connection, trial_id) != TrialState.RUNNING.name:
                return False
            self._tables.replace(connection, "trial_user_attributes", _attrs(trial_id, attrs))
            self._tables.replace(connection, "trial_intermediate_values", _steps(trial_id, steps))
            if end is not None:
                state, values = end
                self._tables.insert(connection, "trial_values", _values(trial_id, values or ()))
                self._tables.end(connection, trial_id, state)
        return True

    @property
    def _engine(self) -> sql.Engine:
        assert isinstance(self.storage, RDBStorage)
        return self.storage.engine

    @cached_property
    def _tables(self) -> Tables | None:
        """The tables as the database has them; None where they are not laid out as `LAYOUT` says."""
        if not isinstance(self.storage, RDBStorage):
            return None
        if self.storage not in _SEEN:  # many studies of one storage each have their writer
            _SEEN[self.storage] = _tables_of(self.storage)
        return _SEEN[self.storage]


class Tables:
    """What is done to Optuna's tables; the statements are made once."""

    def __init__(self, tables: Mapping[str, sql.Table]) -> None:
        self._tables = tables
        trials = tables["trials"]
        this: sql.BindParameter[int] = sql.bindparam("this")
        mine = trials.c.trial_id == this
        params = tables["trial_params"]
        of_study = sql.select(params.c.distribution_json).join(trials, trials.c.trial_id == params.c.trial_id)
        self._ranges = of_study.where(
            trials.c.study_id == sql.bindparam("study"), params.c.param_name == sql.bindparam("name")
        ).limit(1)
        self._state = sql.select(trials.c.state).where(mine)
        self._before = sql.select(sql.func.count()).where(
            trials.c.study_id == sql.bindparam("study"), trials.c.trial_id < this
        )
        self._number = trials.update().where(mine).values(number=sql.bindparam("its_number"))
        self._end = trials.update().where(mine)
        self._end = self._end.values(state=sql.bindparam("its_state"), datetime_complete=sql.bindparam("now"))
        self._insert = {name: table.insert() for name, table in tables.items()}
        self._drop = {
            name: (key, tables[name].delete().where(tables[name].c.trial_id == this, _among(tables[name].c[key])))
            for name, key in (("trial_user_attributes", "key"), ("trial_intermediate_values", "step"))
        }

    def state(self, connection: sql.Connection, trial_id: int) -> object:
        """The name of a trial's state."""
        return connection.scalar(self._state, {"this": trial_id})

    def check(self, connection: sql.Connection, study_id: int, ranges: Mapping[str, BaseDistribution]) -> None:
        """Refuse ranges that do not go with the study's, as Optuna's own way to make a trial does.

        Raises:
            ValueError: they are of another kind, or a choice among others.
        """
        for name, mine in ranges.items():
            known = connection.scalar(self._ranges, {"study": study_id, "name": name})
            if known is not None:
                check_distribution_compatibility(json_to_distribution(known), mine)

    def insert_trial(self, connection: sql.Connection, study_id: int, started: datetime | None) -> tuple[int, int]:
        """The row of a trial with the study's next number, which counts those before it, as Optuna's own does."""
        row = {"study_id": study_id, "state": TrialState.RUNNING.name, "datetime_start": started}
        key = connection.execute(self._insert["trials"], row).inserted_primary_key
        assert key is not None
        number = int(connection.scalar(self._before, {"study": study_id, "this": key[0]}) or 0)
        connection.execute(self._number, {"this": key[0], "its_number": number})
        return int(key[0]), number

    def replace(self, connection: sql.Connection, name: str, rows: Rows) -> None:
        """Put rows of one trial in the place of those of the same key."""
        if rows:
            key, drop = self._drop[name]
            connection.execute(drop, {"this": rows[0]["trial_id"], "keys": [row[key] for row in rows]})
            self.insert(connection, name, rows)

    def insert(self, connection: sql.Connection, name: str, rows: Rows) -> None:
        """Add rows."""
        if rows:
            connection.execute(self._insert[name], rows)

    def end(self, connection: sql.Connection, trial_id: int, state: TrialState) -> None:
        """A trial has ended now."""
        connection.execute(self._end, {"this": trial_id, "its_state": state.name, "now": datetime.now()})


#: The tables of storages that were looked at, while these are in use.
_SEEN: WeakKeyDictionary[RDBStorage, Tables | None] = WeakKeyDictionary()


def _among(column: sql.Column[Any]) -> sql.ColumnElement[bool]:
    return column.in_(sql.bindparam("keys", expanding=True))


def _tables_of(storage: RDBStorage) -> Tables | None:
    try:
        found = sql.MetaData()
        found.reflect(storage.engine, only=list(LAYOUT))
    except sql.exc.InvalidRequestError:  # one is missing
        return None
    known = all({c.name for c in found.tables[name].columns} == columns for name, columns in LAYOUT.items())
    return Tables(found.tables) if known else None


def _params(trial_id: int, template: FrozenTrial) -> Rows:
    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": ranges.to_internal_repr(template.params[name]),
            "distribution_json": distribution_to_json(ranges),
        }
        for name, ranges in template.distributions.items()
    ]


def _attrs(trial_id: int, attrs: Mapping[str, Any]) -> Rows:
    return [{"trial_id": trial_id, "key": name, "value_json": json.dumps(value)} for name, value in attrs.items()]


def _steps(trial_id: int, steps: Mapping[int, float]) -> Rows:
    return [
        {"trial_id": trial_id, "step": step, "intermediate_value": value, "intermediate_value_type": "FINITE"}
        for step, value in steps.items()
    ]


def _values(trial_id: int, values: Sequence[float]) -> Rows:
    return [
        {"trial_id": trial_id, "objective": objective, "value": value, "value_type": "FINITE"}
        for objective, value in enumerate(values)
    ]

"""Everything about a trial in one transaction, where Optuna's public calls make one of each attribute and epoch.

Optuna's ways to write many values at once go through three statements a value, a millisecond each; a trial has fifty. So rows
are put into the tables themselves, whose layout is what Optuna's files are made of: where it is not the known one, or the
storage is no database, the public calls do the same, slower.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sql
from optuna.distributions import BaseDistribution, distribution_to_json
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
}
Rows = list[dict[str, Any]]
Tables = Mapping[str, sql.Table]


class TrialWriter:
    """Makes trials and adds to them, each time in one transaction: a kill leaves all of it or nothing."""

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        self._checked: dict[int, dict[str, BaseDistribution]] = {}

    def create(self, study_id: int, template: FrozenTrial) -> tuple[int, int]:
        """A new trial as `template` is, RUNNING and without values, with its identifier in the storage and its number.

        The first of a study, and any in other ranges than the one before, is made by Optuna, which checks its ranges.
        """
        assert template.state == TrialState.RUNNING, "only a trial that runs is written in parts"
        if self._tables is None or self._checked.get(study_id) != template.distributions:
            trial_id = self.storage.create_new_trial(study_id, template_trial=template)
            self._checked[study_id] = template.distributions
            return trial_id, self.storage.get_trial_number_from_id(trial_id)
        with self._engine.begin() as connection:
            trial_id, number = self._insert_trial(connection, study_id, template.datetime_start)
            self._insert(connection, "trial_params", _params(trial_id, template))
            self._insert(connection, "trial_user_attributes", _attrs(trial_id, template.user_attrs))
        return trial_id, number

    def add(self, trial_id: int, attrs: Mapping[str, Any], steps: Mapping[int, float] | None = None) -> None:
        """Attach user attributes (in place of those of the same name) and intermediate values to a trial that runs."""
        steps = steps or {}
        if not attrs and not steps:
            return
        if not all(math.isfinite(value) for value in steps.values()) or not self._added(trial_id, attrs, steps):
            self._add_singly(trial_id, attrs, steps)

    def _add_singly(self, trial_id: int, attrs: Mapping[str, Any], steps: Mapping[int, float]) -> None:
        for name, value in attrs.items():
            self.storage.set_trial_user_attr(trial_id, name, value)
        for step, value in steps.items():
            self.storage.set_trial_intermediate_value(trial_id, step, value)

    def _added(self, trial_id: int, attrs: Mapping[str, Any], steps: Mapping[int, float]) -> bool:
        """Whether it could be written at once; not to a trial that has ended, which Optuna refuses in its own words."""
        if self._tables is None:
            return False
        trials = self._tables["trials"]
        with self._engine.begin() as connection:
            state = connection.scalar(sql.select(trials.c.state).where(trials.c.trial_id == trial_id))
            if state != TrialState.RUNNING.name:
                return False
            self._replace(connection, "trial_user_attributes", "key", _attrs(trial_id, attrs))
            self._replace(connection, "trial_intermediate_values", "step", _steps(trial_id, steps))
        return True

    def _insert_trial(self, connection: sql.Connection, study_id: int, started: datetime | None) -> tuple[int, int]:
        """The row of a trial with the study's next number, which counts those before it, as Optuna's own does."""
        assert self._tables is not None
        trials = self._tables["trials"]
        row = {"study_id": study_id, "state": TrialState.RUNNING.name, "datetime_start": started}
        key = connection.execute(trials.insert().values(row)).inserted_primary_key
        assert key is not None
        before = sql.select(sql.func.count()).where(trials.c.study_id == study_id, trials.c.trial_id < key[0])
        number = int(connection.scalar(before) or 0)
        connection.execute(trials.update().where(trials.c.trial_id == key[0]).values(number=number))
        return int(key[0]), number

    def _replace(self, connection: sql.Connection, name: str, key: str, rows: Rows) -> None:
        """Put rows of one trial in the place of those of the same key."""
        assert self._tables is not None
        if rows:
            table, keys = self._tables[name], [row[key] for row in rows]
            mine = table.c.trial_id == rows[0]["trial_id"]
            connection.execute(table.delete().where(mine, table.c[key].in_(keys)))
            self._insert(connection, name, rows)

    def _insert(self, connection: sql.Connection, name: str, rows: Rows) -> None:
        assert self._tables is not None
        if rows:
            connection.execute(self._tables[name].insert(), rows)

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


#: The tables of storages that were looked at, while these are in use.
_SEEN: WeakKeyDictionary[RDBStorage, Tables | None] = WeakKeyDictionary()


def _tables_of(storage: RDBStorage) -> Tables | None:
    try:
        found = sql.MetaData()
        found.reflect(storage.engine, only=list(LAYOUT))
    except sql.exc.InvalidRequestError:  # one is missing
        return None
    known = all({c.name for c in found.tables[name].columns} == columns for name, columns in LAYOUT.items())
    return dict(found.tables) if known else None


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

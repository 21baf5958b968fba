"""Trials written at once lie in the storage as those that Optuna writes piece by piece: row for row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sql
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.storage import open_storage
from sweeps.storage.bulk import Tables, TrialWriter

ATTRS: dict[str, Any] = {
    "hyperparameters": {"lr": 0.1, "kind": "a"},
    "seed": 3,
    "fail_reason": None,
    "text": "naïve \u2028 ☃",
    "big": 2**70,
    "nan": math.nan,
}
RANGES = {"lr": FloatDistribution(1e-4, 1.0, log=True), "epochs": IntDistribution(1, 20)}
OWN_KEYS = {"param_id", "trial_user_attribute_id", "trial_intermediate_value_id"}
#: Writes a trial of a study: its number, facts and scores.
Write = Callable[[int, int, dict[str, Any], dict[int, float]], object]


def template(i: int) -> FrozenTrial:
    params = {"lr": 0.01 * (i + 1), "epochs": i + 1}
    return create_trial(state=TrialState.RUNNING, params=params, distributions=RANGES, user_attrs={**ATTRS, "i": i})


def publicly(storage: BaseStorage, study: int, i: int, attrs: dict[str, Any], steps: dict[int, float]) -> int:
    trial = storage.create_new_trial(study, template_trial=template(i))
    for name, value in attrs.items():
        storage.set_trial_user_attr(trial, name, value)
    for step, value in steps.items():
        storage.set_trial_intermediate_value(trial, step, value)
    return trial


def end_of(i: int) -> tuple[TrialState, list[float] | None]:
    return (TrialState.FAIL, None) if i == 3 else (TrialState.COMPLETE, [float(i), -1e-300])


def at_once(writer: TrialWriter, study: int, i: int, attrs: dict[str, Any], steps: dict[int, float]) -> int:
    trial, number = writer.create(study, template(i))
    assert writer.storage.get_trial_number_from_id(trial) == number
    writer.add(trial, attrs, steps)
    return trial


def whole_publicly(storage: BaseStorage) -> Write:
    """Trials that end, by Optuna's public calls."""
    return lambda study, i, *facts: storage.set_trial_state_values(publicly(storage, study, i, *facts), *end_of(i))


def whole_at_once(writer: TrialWriter) -> Write:
    """The same trials by our own."""
    return lambda study, i, *facts: writer.end(at_once(writer, study, i, {}, {}), *end_of(i), *facts)


def rows(storage: RDBStorage) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table about trials, without the rows' own numbers and the clock."""
    tables = sql.MetaData()
    tables.reflect(storage.engine)
    aside = OWN_KEYS | {"datetime_start", "datetime_complete"}
    with storage.engine.connect() as connection:
        return {
            name: sorted(
                (
                    {k: v for k, v in row.items() if k not in aside}
                    for row in connection.execute(sql.select(table)).mappings()
                ),
                key=repr,
            )
            for name, table in tables.tables.items()
            if name.startswith("trial")
        }


def written(storage: BaseStorage, write: Write) -> list[Study]:
    """Four trials in two studies, in turn; attributes given twice, scores of every size, none, and no number."""
    studies = [optuna.create_study(study_name=name, storage=storage) for name in "ab"]
    ids = [storage.get_study_id_from_name(study.study_name) for study in studies]
    scores: list[dict[int, float]] = [{}, {1: 0.5, 2: 1e-300, 3: -1e300}, {1: math.nan, 2: math.inf}, {7: 0.0}]
    for i, (study, steps) in enumerate(zip(itertools.cycle(ids), scores, strict=False)):
        write(study, i, {"i": -i, "curve": {"score": [*steps.values()]}, "epoch": i}, steps)
    return studies


def test_they_are_row_for_row_what_optuna_writes(tmp_path: Path) -> None:
    one, other = (open_storage(f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "other"))
    assert isinstance(one, RDBStorage)
    assert isinstance(other, RDBStorage)
    written(one, whole_publicly(one))
    written(other, whole_at_once(TrialWriter(other)))
    assert rows(one) == rows(other)
    assert len(rows(other)["trials"]) == 4
    assert len(rows(other)["trial_intermediate_values"]) == 6
    assert len(rows(other)["trial_values"]) == 6
    for name in optuna.get_all_study_names(other):
        for trial in optuna.load_study(study_name=name, storage=other).trials:
            assert trial.datetime_start is not None
            assert trial.datetime_complete is not None
            assert timedelta() <= trial.datetime_complete - trial.datetime_start < timedelta(minutes=5)


def test_the_layout_of_this_release_is_the_known_one(storage: BaseStorage) -> None:
    """Else everything would be written piece by piece, and only be slower."""
    assert TrialWriter(storage)._tables is not None


@pytest.mark.parametrize("kind", ["sqlite", "another layout", "journal"])
def test_optuna_reads_them_wherever_they_lie(kind: str, tmp_path: Path) -> None:
    storage = open_storage(f"journal:{tmp_path}/study.log" if kind == "journal" else f"sqlite:///{tmp_path}/study.db")
    if isinstance(storage, RDBStorage) and kind == "another layout":
        with storage.engine.begin() as connection:
            connection.execute(sql.text("ALTER TABLE trial_user_attributes ADD COLUMN more TEXT"))
    study = optuna.create_study(study_name="a", storage=storage)
    writer, number = TrialWriter(storage), storage.get_study_id_from_name("a")
    assert (writer._tables is None) == (kind != "sqlite")
    for i in range(3):
        trial = at_once(writer, number, i, {"i": 10 + i, "more": [1, None]}, {1: 0.5, 2: 0.25})
        writer.add(trial, {"i": 20 + i}, {2: 0.125, 3: 1.0})
        study.tell(i, float(i))
    for i, seen in enumerate(study.trials):
        assert seen.params == template(i).params
        assert seen.distributions == RANGES
        assert seen.intermediate_values == {1: 0.5, 2: 0.125, 3: 1.0}
        assert {**seen.user_attrs, "nan": 0} == {**ATTRS, "nan": 0, "i": 20 + i, "more": [1, None]}
        assert (seen.number, seen.state, seen.value) == (i, TrialState.COMPLETE, i)
        assert seen.datetime_start is not None


def test_a_trial_that_has_ended_is_not_written_to(storage: BaseStorage) -> None:
    study = optuna.create_study(study_name="a", storage=storage)
    writer = TrialWriter(storage)
    trial = at_once(writer, storage.get_study_id_from_name("a"), 0, {}, {})
    study.tell(0, 1.0)
    before = study.trials
    for attrs, steps in (({"i": 9}, {}), ({}, {1: 0.5})):
        with pytest.raises(UpdateFinishedTrialError):
            writer.add(trial, attrs, steps)
        with pytest.raises(UpdateFinishedTrialError):
            writer.end(trial, TrialState.FAIL, None, attrs, steps)
    with pytest.raises(UpdateFinishedTrialError):
        writer.end(trial, TrialState.FAIL, None, {}, {})
    assert study.trials[0].state == TrialState.COMPLETE
    assert study.trials[0].user_attrs["i"] == before[0].user_attrs["i"]
    assert study.trials[0].intermediate_values == {}


def test_a_write_that_breaks_off_leaves_nothing(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(study_name="a", storage=storage)
    writer, number = TrialWriter(storage), storage.get_study_id_from_name("a")
    first = at_once(writer, number, 0, {}, {})

    insert = Tables.insert

    def broken(self: Tables, connection: sql.Connection, name: str, rows: Any) -> None:
        insert(self, connection, name, rows)
        if name in {"trial_user_attributes", "trial_params", "trial_values"}:
            raise KeyboardInterrupt

    monkeypatch.setattr(Tables, "insert", broken)
    with pytest.raises(KeyboardInterrupt):
        writer.create(number, template(1))
    with pytest.raises(KeyboardInterrupt):
        writer.add(first, {"i": 5}, {1: 0.5})
    with pytest.raises(KeyboardInterrupt):
        writer.end(first, TrialState.COMPLETE, [0.5], {}, {1: 0.5})
    assert study.trials[0].state == TrialState.RUNNING
    assert [(t.number, t.user_attrs["i"], t.intermediate_values) for t in study.trials] == [(0, 0, {})]


def test_other_ranges_of_the_same_name_are_refused_as_optuna_refuses_them(storage: BaseStorage) -> None:
    optuna.create_study(study_name="a", storage=storage)
    writer, number = TrialWriter(storage), storage.get_study_id_from_name("a")
    writer.create(number, template(0))
    other = create_trial(state=TrialState.RUNNING, params={"lr": 1}, distributions={"lr": IntDistribution(0, 3)})
    with pytest.raises(ValueError, match="distribution kind"):
        writer.create(number, other)

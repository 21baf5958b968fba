"""A sweep that is read at once is what Optuna reads of it, trial for trial."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sql
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.storage import open_storage
from sweeps.storage import snapshot as module
from sweeps.storage.open import remembering
from sweeps.storage.snapshot import Snapshot, snapshot
from tests.sweeps.conftest import OLD_NAME

RANGES = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "epochs": IntDistribution(1, 20),
    "kind": CategoricalDistribution(("a", None, 3)),
}
NAMES = ["own", "own/search/50%_off/sure", "own/search/x/sure", "own-too", "own-too/search/x/sure", "OWN/search/x/sure"]


def written(storage: BaseStorage) -> BaseStorage:
    """Studies of three sweeps whose names are alike, with trials of every kind."""
    for name in NAMES:
        study = optuna.create_study(study_name=name, storage=storage, directions=["minimize", "maximize"])
        study.set_user_attr("of", name)
        for i, kind in enumerate(("a", None, 3)):
            study.add_trial(
                create_trial(
                    values=[float(i), -math.inf if i else math.inf],
                    params={"lr": 0.1 * (i + 1), "epochs": i + 1, "kind": kind},
                    distributions=RANGES,
                    user_attrs={"naïve": [None, {"nan": math.nan}], "of": name, "i": i},
                    system_attrs={"s": i},
                    intermediate_values={3: math.nan, 1: 0.5, 2: math.inf},
                )
            )
        study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"fail_reason": "x"}))
        study.add_trial(create_trial(state=TrialState.PRUNED, values=None))
        study.enqueue_trial({"lr": 0.2})
        study.ask()
        study.ask(RANGES).set_user_attr("runs", True)
    return storage


def told(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    """All that a trial says of itself; a number that is none equals another such, and facts have no order."""
    parts = ("user_attrs", "system_attrs", "intermediate_values")
    return [
        {
            **{
                name: getattr(t, name)
                for name in ("number", "state", "datetime_start", "datetime_complete", "last_step")
            },
            **{name: list(getattr(t, name).items()) for name in ("params", "distributions")},
            **{name: sorted((str(key), repr(value)) for key, value in getattr(t, name).items()) for name in parts},
            "values": t.values,
        }
        for t in trials
    ]


def check_same(storage: BaseStorage, name: str) -> None:
    """Of one sweep, a snapshot holds what the storage does, and of others nothing."""
    found = snapshot(storage, name)
    assert isinstance(found, Snapshot)
    names = [n for n in optuna.get_all_study_names(storage) if n == name or n.startswith(f"{name}/")]
    assert sorted(optuna.get_all_study_names(found)) == sorted(names)
    for study_name in names:
        one, other = (optuna.load_study(study_name=study_name, storage=place) for place in (found, storage))
        assert told(one.get_trials()) == told(other.get_trials())
        assert one.directions == other.directions
        assert one.user_attrs == other.user_attrs
        numbers = found.get_study_id_from_name(study_name), storage.get_study_id_from_name(study_name)
        assert found.get_study_system_attrs(numbers[0]) == storage.get_study_system_attrs(numbers[1])
        assert found.get_study_name_from_id(numbers[0]) == study_name
        complete = (TrialState.COMPLETE,)
        assert told(one.get_trials(states=complete)) == told(other.get_trials(states=complete))


@pytest.mark.parametrize("name", ["own", "own-too", "none"])
def test_it_is_what_optuna_reads(storage: BaseStorage, name: str) -> None:
    check_same(written(storage), name)


def test_a_sweep_of_an_older_version_too(runs: Path) -> None:
    check_same(open_storage(f"sqlite:///{runs / OLD_NAME / 'study.db'}"), OLD_NAME)


def test_no_copy_is_made_unless_asked_for(storage: BaseStorage) -> None:
    study = optuna.load_study(study_name=NAMES[0], storage=snapshot(written(storage), "own"))
    first, again = (study.get_trials(deepcopy=False)[0] for _ in range(2))
    assert first is again
    study.get_trials()[0].user_attrs["of"] = "changed"
    assert first.user_attrs["of"] == NAMES[0]


def test_a_trial_that_ends_meanwhile_still_runs(storage: BaseStorage, url: str) -> None:
    assert isinstance(storage, RDBStorage)
    written(storage)
    number = storage.get_study_id_from_name(NAMES[1])
    *_, running = storage.get_all_trials(number, states=(TrialState.RUNNING,))
    other, ended = open_storage(url), []

    def end(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "JOIN trial_values" in statement and not ended:
            ended.append(other.set_trial_state_values(running._trial_id, TrialState.COMPLETE, [1.0, 2.0]))

    sql.event.listen(storage.engine, "before_cursor_execute", end)
    found = optuna.load_study(study_name=NAMES[1], storage=snapshot(storage, "own")).get_trials()
    assert found[running.number].state == TrialState.RUNNING
    assert found[running.number].values is None
    assert found[running.number].datetime_complete is None
    assert ended == [True]
    check_same(storage, "own")


@pytest.mark.parametrize(
    "opened",
    [
        lambda folder: remembering(open_storage(f"sqlite:///{folder / 'study.db'}")),
        lambda folder: open_storage(f"journal:{folder / 'log'}"),
        lambda folder: optuna.storages.InMemoryStorage(),
    ],
    ids=["remembering", "journal", "in memory"],
)
def test_other_storages_stand_for_themselves(opened: Callable[[Path], BaseStorage], tmp_path: Path) -> None:
    storage = opened(tmp_path)
    assert snapshot(storage, "own") is storage


def test_tables_of_another_layout_are_optunas_to_read(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(snapshot(storage, "own"), Snapshot)
    monkeypatch.setattr(module, "REVISION", "v9.9.9.a")
    assert snapshot(storage, "own") is storage


def test_nothing_is_written(storage: BaseStorage) -> None:
    found = snapshot(written(storage), "own")
    with pytest.raises(KeyError):
        found.get_study_id_from_name("own-too")
    for write in (
        lambda: found.create_new_study([StudyDirection.MINIMIZE]),
        lambda: found.set_study_user_attr(0, "of", "x"),
        lambda: optuna.load_study(study_name="own", storage=found).ask(),
    ):
        with pytest.raises(NotImplementedError, match="not written to"):
            write()

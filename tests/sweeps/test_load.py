"""Trials and curves as DataFrames, from a name, a folder and a URL."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from reports import load_curves, load_trials
from sweeps.cli.answers import answers
from sweeps.cli.options import Options
from sweeps.errors import SpecError, SweepError
from sweeps.record import remarks
from sweeps.spec import parse_spec
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, prepare


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep under runs/ with a search trial, one that was run again, and the retry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNLEARN_SWEEPS_STORAGE", raising=False)
    sweep = Sweep.at(parse_spec(TINY), Path("runs"))
    storage = prepare(sweep)
    sweep.freeze(storage)
    study = optuna.create_study(study_name="tiny/search/partial_class/sure", storage=storage)
    facts = {"hyperparameters": {"lr": 0.5}, "forget_gap": 2.0, "forget_size": 40}
    curve = {"epoch": [1, 2], "score": [3.0, 2.0], "forget_gap": [3.0, 2.0]}
    for requeued in (False, True, False):
        trial = study.ask(sweep.spec.space("sure").distributions)
        for name, value in {**facts, "curve": curve, "requeued": requeued}.items():
            trial.set_user_attr(name, value)
        if requeued:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, 2.0)
    return sweep


def test_one_row_per_trial_that_counts(stored: Sweep) -> None:
    trials = load_trials("tiny")
    assert trials["number"].tolist() == [0, 2]
    row = trials.iloc[0]
    assert (row["stage"], row["scenario"], row["method"]) == ("search", "partial_class", "sure")
    assert (row["state"], row["value"], row["hp.lr"], row["metric.forget_gap"]) == ("COMPLETE", 2.0, 0.5, 2.0)
    assert row["top5.forget_gap"] == pytest.approx(2.5)


def test_text_is_python_s_own_and_what_pandas_does_elsewhere_stays(stored: Sweep) -> None:
    before = pd.get_option("mode.string_storage")
    trials, curves = load_trials("tiny"), load_curves("tiny")
    assert {getattr(frame["study"].dtype, "storage", "python") for frame in (trials, curves)} == {"python"}
    assert pd.get_option("mode.string_storage") == before


def test_the_best_of_a_run_that_ended_at_its_stop_epoch_are_not_known(stored: Sweep) -> None:
    storage = stored.prepare()
    study = optuna.create_study(study_name="tiny/evaluation/partial_class/sure", storage=storage)
    for beside in ({}, {"hindsight": {"forget_gap": 2.0}}):
        trial = study.ask()
        curve = {"epoch": [1, 2], "score": [3.0, 2.0], "forget_gap": [3.0, 2.0]}
        facts = {"curve": curve, "metrics": {"forget_gap": 3.0}, "epoch": 1, "stop_epoch": 1, **beside}
        for name, value in facts.items():
            trial.set_user_attr(name, value)
        study.tell(trial, 3.0)
    trials = load_trials("tiny").query("stage == 'evaluation'")
    assert trials["top5.forget_gap"].fillna(-1).tolist() == [-1, 2.5]


def test_one_row_per_epoch(stored: Sweep) -> None:
    curves = load_curves("tiny")
    assert curves[["number", "epoch", "forget_gap"]].to_numpy().tolist() == [[0, 1, 3], [0, 2, 2], [2, 1, 3], [2, 2, 2]]


def test_folder_and_url_give_the_same(stored: Sweep) -> None:
    for where in (stored.folder.path, str(stored.folder.path), stored.url):
        assert load_trials(where).equals(load_trials("tiny"))


def test_a_moved_folder_is_still_read(stored: Sweep, tmp_path: Path) -> None:
    moved = stored.folder.path.rename(tmp_path / "elsewhere")
    assert len(load_trials(moved)) == 2


def test_a_copied_sweep_has_a_storage_of_its_own(stored: Sweep, tmp_path: Path) -> None:
    shutil.copytree("runs", "copy")
    for there in (Options("tiny", Path("copy")).load(), Options("tiny", Path("copy")).find()):
        assert there.url == f"sqlite:///{tmp_path / 'copy/tiny/study.db'}"
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    elsewhere = Sweep.at(stored.spec, Path("copy"), url)
    elsewhere.freeze(prepare(elsewhere))
    assert Options("tiny", Path("copy")).load().url == url


def test_errors_name_the_remedy(stored: Sweep) -> None:
    with pytest.raises(SweepError, match="got 'nothing'"):
        load_trials("nothing")
    with pytest.raises(SweepError, match="must exist"):
        load_trials("sqlite:////nowhere/study.db")
    with pytest.raises(SweepError, match="holds no sweep 'other'"):
        load_trials(stored.url, sweep="other")
    with pytest.raises(SweepError, match="pass the whole URL as the storage"):
        load_trials("tiny", storage="postgresql://me:***@host/db")


def test_a_trial_that_failed_has_no_metrics(stored: Sweep) -> None:
    """Numbers that it keeps beside its outcome, such as its retry's, are facts."""
    trials = stored.record().trials
    assert trials.loc[trials["requeued"], "metric.forget_gap"].isna().all()
    assert (trials.loc[~trials["requeued"], "metric.forget_gap"] == 2.0).all()


def test_methods_that_a_later_run_left_out_are_named_where_they_ran(stored: Sweep) -> None:
    optuna.create_study(study_name="tiny/search/partial_class/scrub", storage=stored.open_to_read())  # none is complete
    stranger = optuna.create_study(study_name="search/partial_class/scrub", storage=stored.open_to_read())
    stranger.tell(stranger.ask(), 1.0)
    assert stored.record().left_out == {}
    Sweep.at(parse_spec({**TINY, "methods": ["finetune"]}), Path("runs")).freeze(stored.open_to_read())
    record = stored.record()
    assert record.left_out == {"partial_class": ["sure"]}
    (remark,) = [remark for remark in remarks(record) if remark.kind == "narrowed"]
    assert str(remark) == (
        "methods that ran before are not compared here, as the last run left them out (sure): run the sweep with them again; "
        "what is done is not repeated"
    )
    assert f"note: partial_class: {remark}" in list(answers(record, whole=False))


@pytest.mark.parametrize(
    ("section", "entry"),
    [
        ("methods", {"finetune": {"lr": {"low": 0.001, "high": 0.002}}}),
        ("scenarios", {"partial_class": {"target_class": 3, "tune_size": 40, "sizes": [40]}}),
    ],
)
def test_what_a_run_leaves_out_comes_back_as_it_was(
    section: str, entry: dict[str, Any], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trials are there still, and would count as those of another range, or of another class."""
    monkeypatch.chdir(tmp_path)
    both = {**TINY, "scenarios": {**TINY["scenarios"], "random": {"tune_size": 40, "sizes": [40]}}}
    (name,) = entry
    without = {**both, section: {key: body for key, body in both[section].items() if key != name}}
    for document in (both, without, without, both, without):
        sweep = Sweep.at(parse_spec(document), Path("runs"))
        sweep.freeze(prepare(sweep))
    again = Sweep.at(parse_spec({**both, section: {**both[section], **entry}}), Path("runs"))
    for asked in (again.checked_to_continue, lambda: again.freeze(prepare(again))):
        with pytest.raises(SpecError, match=rf"{section}\.{name}\.\S+: was .* in the existing sweep, got "):
            asked()

"""Commands that status tells lead to where the sweep is, though it was typed elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna_dashboard import get_note
from typer.testing import CliRunner

import reports
from benchmarks.trivial_sweep import finish_trivially
from reports.notes import shown
from sweeps.cli.app import app
from sweeps.cli.options import Options
from sweeps.cli.status import continuing, going_on, who_runs
from sweeps.outputs.dashboard import decorate
from sweeps.outputs.report import are_current
from sweeps.record import extending, load, load_sweep
from sweeps.record.commands import looked_at
from sweeps.record.fingerprint import fingerprint
from sweeps.record.record import empty_record
from sweeps.storage.open import remembering
from tests.reports.conftest import new_builder
from tests.sweeps.conftest import SpecMaker

TYPED = "sweeps run my.yaml --runs 'old runs' --set search.trials=9 --storage=journal:x --retry-failed"


def test_a_command_leads_to_where_its_sweep_is(tiny: SpecMaker) -> None:
    record = empty_record(tiny())
    record.provenance.update(command=TYPED, commands=[TYPED])
    here, there = Options("tiny", Path("runs")), Options("tiny", Path("new runs"), "sqlite:///s.db")
    assert continuing(record, here) == "sweeps run my.yaml --set search.trials=9"
    assert continuing(record, there) == (
        "sweeps run my.yaml --set search.trials=9 --runs 'new runs' --storage sqlite:///s.db"
    )
    assert record.provenance["command"] == TYPED


@pytest.mark.parametrize(
    ("typed", "left", "told"),
    [
        ("search my.yaml --set seed=3", "search", "search my.yaml --set seed=3"),
        ("search my.yaml --set seed=3", "confirmation", "search my.yaml --set seed=3"),
        ("search my.yaml --set seed=3", "evaluation", "run my.yaml --set seed=3"),
        ("evaluate my.yaml", "evaluation", "evaluate my.yaml"),
        ("evaluate my.yaml", "sensitivity", "run my.yaml"),
        ("evaluate my.yaml --params best.yaml", "search", "evaluate my.yaml --params best.yaml"),  # it does without one
        ("evaluate my.yaml --params best.yaml", "sensitivity", "run my.yaml --params best.yaml"),
        ("run my.yaml", "sensitivity", "run my.yaml"),
    ],
)
def test_a_stage_that_is_done_is_not_told_to_be_run_again(tiny: SpecMaker, typed: str, left: str, told: str) -> None:
    record = replace(empty_record(tiny()), planned={(left, "random", "sure"): 2})
    record.provenance.update(command=f"sweeps {typed}", commands=[f"sweeps {typed}"])
    assert continuing(record, Options("tiny", Path("runs"))) == f"sweeps {told}"


def test_no_command_is_told_that_would_run_nothing(tiny: SpecMaker) -> None:
    """Given parameters do without a search; and of a method whose search has failed nothing can be evaluated."""
    options, typed = Options("tiny", Path("runs")), "sweeps evaluate my.yaml --params best.yaml"
    record = replace(empty_record(tiny()), planned={("search", "random", "sure"): 2})
    record.provenance.update(command=typed, commands=[typed])
    assert who_runs(None, 2, going_on(record, options)) == (
        "not running; 2 trials left, of the search that given parameters do without"
    )
    builder = new_builder()
    builder.planned = {("search", "random", "sure"): 1, ("evaluation", "random", "sure"): 3}
    builder.trial("search", "sure", state="FAIL", reason="diverged at epoch 1")
    record = builder.record()
    record.provenance.update(command="sweeps run my.yaml", commands=["sweeps run my.yaml"])
    assert who_runs(None, 3, going_on(record, options)) == "not running; 3 trials left, and what they need has failed"
    builder.planned["evaluation", "random", "finetune"] = 3
    record = builder.record()
    record.provenance.update(command="sweeps run my.yaml", commands=["sweeps run my.yaml"])
    assert who_runs(None, 6, going_on(record, options)) == (
        "not running; 6 trials left; continue with: sweeps run my.yaml"
    )


@pytest.mark.parametrize(("reference", "vain"), [("original", True), ("oracle", True), ("other", False)])
def test_nor_where_the_models_that_all_need_have_failed(tiny: SpecMaker, reference: str, vain: bool) -> None:
    builder = new_builder()
    scenario, method = ("other", "oracle") if reference == "other" else ("random", reference)
    builder.planned = {("reference", scenario, method): 1, ("search", "random", "sure"): 3}
    builder.trial("reference", method, scenario=scenario, state="FAIL", reason="MetricError: not finite")
    record = builder.record()
    record.provenance.update(command="sweeps run my.yaml", commands=["sweeps run my.yaml"])
    told = going_on(record, Options("tiny", Path("runs")))
    assert told == (", and what they need has failed" if vain else "; continue with: sweeps run my.yaml")


def test_a_sweep_run_from_python(tiny: SpecMaker) -> None:
    record = empty_record(tiny())
    assert continuing(record, Options("tiny", Path("x"))) == "sweeps run tiny --runs x"


def test_status_of_a_sweep_that_was_moved(tmp_path: Path, cache: Path) -> None:
    name = finish_trivially(tmp_path / "runs").spec.name
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    told = CliRunner().invoke(app, ["status", name, "--runs", str(tmp_path / "moved")]).stdout
    commands = [line for line in told.splitlines() if "sweeps evaluate" in line]
    assert commands
    assert all(f"--runs {tmp_path / 'moved'}" in line for line in commands)


def test_the_page_of_a_sweep_that_lies_elsewhere_leads_there(tmp_path: Path, cache: Path) -> None:
    place, out = f"--runs {tmp_path / 'elsewhere'}", tmp_path / "out"
    sweep = finish_trivially(tmp_path / "elsewhere", outputs=False)
    name = sweep.spec.name
    assert CliRunner().invoke(app, ["report", name, *place.split(), "--output", str(out)]).exit_code == 0
    page = re.sub(r"<[^>]+>", "", (out / "index.html").read_text())
    commands = re.findall(rf"sweeps (?:evaluate|report) {name} .*", page)
    assert len(commands) > 3
    assert [line for line in commands if place not in line] == []
    assert f"`sweeps report {name} {place}`" in shown(looked_at(sweep.record(), place.split())).note


def test_a_page_of_other_code_is_not_current(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = finish_trivially(tmp_path / "runs")
    assert are_current(sweep.outputs, sweep.record().fingerprint)
    copied = Path(shutil.copytree(Path(reports.__file__).parent, tmp_path / "reports"))
    monkeypatch.setattr(reports.__spec__, "origin", str(copied / "__init__.py"))
    assert are_current(sweep.outputs, sweep.record().fingerprint)  # wherever it lies
    with (copied / "told.py").open("a") as file:
        file.write("# says it otherwise\n")
    assert not are_current(sweep.outputs, sweep.record().fingerprint)


def test_the_dashboards_note_advises_what_was_typed(tmp_path: Path, cache: Path) -> None:
    sweep = finish_trivially(tmp_path / "runs", outputs=False)
    storage, typed = sweep.prepare(), "sweeps evaluate own.yaml --params p.yaml"
    decorate(storage, replace(sweep.record(), provenance={"commands": [typed]}), sweep.folder.artifacts)
    note = get_note(optuna.load_study(study_name=sweep.spec.name, storage=storage))
    assert note.count("sweeps evaluate ") == note.count(f"{typed} --set evaluation.seeds=") > 0


def test_more_evaluations_of_given_parameters_whatever_ran_last(tiny: SpecMaker) -> None:
    typed = ["sweeps evaluate t --params p.yaml", "sweeps sensitivity t --set seed=1 --params q.yaml"]
    record = replace(empty_record(tiny()), provenance={"commands": typed})
    more = "sweeps evaluate t --set seed=1 --params p.yaml --set evaluation.seeds=9"
    assert extending(record, "evaluation.seeds", 9) == more


def test_a_page_of_several_sweeps_has_each_once(tmp_path: Path, cache: Path) -> None:
    name = finish_trivially(tmp_path / "runs", outputs=False).spec.name
    told = CliRunner().invoke(app, ["report", name, name, "--runs", str(tmp_path / "runs")])
    assert told.exit_code == 2
    assert f"several times is named: {name}" in told.output
    assert not list((tmp_path / "runs").glob("compare*"))


@pytest.mark.parametrize("opened", [lambda storage: storage, remembering], ids=["at once", "study by study"])
def test_what_ends_while_a_sweep_is_read_belongs_to_a_later_state(
    opened: Callable[[BaseStorage], BaseStorage], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else outputs that lack it would be taken for those of all there is."""
    sweep = finish_trivially(tmp_path, outputs=False)
    storage, read = sweep.prepare(), load._tables

    def end_one_meanwhile(studies: Any, designs: Any) -> Any:
        tables = read(studies, designs)
        study = optuna.load_study(study_name=next(study.study_name for _, study in studies.values()), storage=storage)
        study.add_trial(optuna.trial.create_trial(values=[0.0] * len(study.directions)))
        return tables

    monkeypatch.setattr(load, "_tables", end_one_meanwhile)
    record = load_sweep(opened(storage), sweep.spec.name)
    assert record.fingerprint != fingerprint(storage, sweep.spec.name)
    monkeypatch.undo()
    assert load_sweep(opened(storage), sweep.spec.name).fingerprint == fingerprint(storage, sweep.spec.name)

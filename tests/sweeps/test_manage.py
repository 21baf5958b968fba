"""Sweeps are listed and removed, printed as JSON and completed; the storages are real ones, of an older version."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from benchmarks.trivial_sweep import finish_trivially
from sweeps.api import unlearn
from sweeps.cli.app import app
from sweeps.cli.complete import method_names, scenario_names, sweep_names
from sweeps.cli.options import Options
from sweeps.cli.report import _check_output
from sweeps.errors import SweepError
from sweeps.jobs.cache import Cache
from sweeps.record import find_sweep, load_sweep, remarks, told_apart
from sweeps.record.find import sweeps_in
from sweeps.spec import shipped_sweeps
from sweeps.storage import open_storage
from sweeps.storage.lease import Lease
from sweeps.storage.urls import sqlite_url
from tests.sweeps.conftest import OLD_NAME as NAME


def sweeps(*arguments: str, runs: Path | None = None, text: str = "") -> Result:
    where = [] if runs is None else ["--runs", str(runs)]
    return CliRunner().invoke(app, [*arguments, *where], input=text)


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


def test_list_says_how_far_each_sweep_is(runs: Path) -> None:
    broken = runs / "broken"
    broken.mkdir()
    (broken / "spec.yaml").write_text("name: [")
    (runs / "no sweep").mkdir()
    first, second = as_json(sweeps("list", "--json", runs=runs))
    record = find_sweep(runs / NAME)
    assert first["name"] == NAME
    assert (first["planned"], first["failed"]) == (sum(record.planned.values()), 0)
    assert first["done"] == int(record.counted["state"].isin(["COMPLETE", "PRUNED", "FAIL"]).sum())
    assert first["state"] == ("done" if first["done"] == first["planned"] else "unfinished")
    assert first["bytes"] == sum(path.stat().st_size for path in (runs / NAME).iterdir())
    assert second["state"].startswith("cannot be read: ")
    table = sweeps("list", runs=runs).stdout
    assert NAME in table
    assert "broken" in table


@pytest.mark.parametrize(
    ("text", "got"), [("", "got nothing"), ("[1]", "got a list"), ("seed: 1", "name: is required")]
)
def test_a_stored_file_that_is_none_is_told_by_its_path(tmp_path: Path, text: str, got: str) -> None:
    file = tmp_path / "emptied" / "spec.yaml"
    file.parent.mkdir()
    file.write_text(text)
    for command in ("status", "report", "remove"):
        told = sweeps(command, "emptied", runs=tmp_path)
        assert told.exit_code == 2
        assert told.output.startswith(f"{file}: ")
        assert got in told.output
    assert "emptied/spec.yaml: " in as_json(sweeps("list", "--json", runs=tmp_path))[0]["state"]
    with pytest.raises(SweepError, match="storage must exist" if got.startswith("name") else got):
        find_sweep(file.parent)


def test_list_of_no_sweeps_says_how_to_start_one(tmp_path: Path) -> None:
    result = sweeps("list", runs=tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "sweeps run digits" in result.stderr


def test_remove_takes_what_is_the_sweeps_and_nothing_else(runs: Path) -> None:
    folder = runs / NAME
    (folder / "notes.txt").write_text("mine")
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("page")
    result = sweeps("remove", NAME, "--yes", runs=runs)
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    assert sweeps("status", NAME, runs=runs).exit_code == 2


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("command", [["remove", "--yes"], ["status"], ["run", "--dry-run"], ["report"]])
def test_a_folder_of_another_name_stands_for_no_other_sweep(command: list[str], moved: bool, runs: Path) -> None:
    copy = runs / "copy"
    if moved:
        (runs / NAME).rename(copy)
    else:
        shutil.copytree(runs / NAME, copy)
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    result = sweeps(command[0], "copy", *command[1:], runs=runs)
    assert result.exit_code == 2
    assert f"{copy} holds the sweep {NAME!r}, whose folder must be {runs / NAME}" in result.stderr
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before
    listed = {sweep["name"]: sweep["state"] for sweep in as_json(sweeps("list", "--json", runs=runs))}
    assert listed["copy"].startswith("cannot be read: ")
    with pytest.raises(SweepError, match="holds the sweep"):
        unlearn("copy", [1], runs=runs)


def test_a_folder_may_be_a_link_to_where_there_is_room(runs: Path, tmp_path: Path) -> None:
    (runs / NAME).rename(tmp_path / "large")
    (runs / NAME).symlink_to(tmp_path / "large")
    assert sweeps("status", NAME, runs=runs).exit_code == 0


def test_another_name_may_begin_with_what_a_folder_holds(runs: Path) -> None:
    (runs / NAME).rename(runs / "copy")
    assert Options("copy", runs, overrides=["name=another"]).load().folder.path == runs / "another"


def test_remove_leaves_no_empty_folder(runs: Path) -> None:
    assert sweeps("remove", NAME, "--yes", runs=runs).exit_code == 0
    assert not (runs / NAME).exists()


def test_remove_through_a_link_leaves_neither_it_nor_the_folder(runs: Path, tmp_path: Path) -> None:
    (runs / NAME).rename(tmp_path / "large")
    (runs / NAME).symlink_to(tmp_path / "large")
    result = sweeps("remove", NAME, "--yes", runs=runs)
    assert result.exit_code == 0, result.output
    assert not (runs / NAME).is_symlink()
    assert not (tmp_path / "large").exists()


def test_remove_asks_first_and_does_nothing_without_an_answer(runs: Path) -> None:
    result = sweeps("remove", NAME, runs=runs)
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert (runs / NAME / "spec.yaml").exists()
    assert find_sweep(runs / NAME).name == NAME


def test_remove_spares_other_sweeps_of_a_shared_storage(runs: Path, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "shared.db")
    (runs / NAME / "study.db").rename(tmp_path / "shared.db")
    storage = open_storage(url)
    optuna.create_study(study_name="another", storage=storage).set_user_attr("spec", {})
    optuna.create_study(study_name=f"{NAME}-two/search/random/sure", storage=storage)
    result = sweeps("remove", NAME, "--yes", "--storage", url, runs=runs)
    assert result.exit_code == 0, result.output
    assert {study.study_name for study in storage.get_all_studies()} == {"another", f"{NAME}-two/search/random/sure"}
    assert sweeps_in(storage) == ["another"]


def test_a_variable_for_other_sweeps_hides_none(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sweeps("list", "--json", runs=runs).stdout
    monkeypatch.setenv("UNLEARN_SWEEPS_STORAGE", sqlite_url(tmp_path / "others.db"))
    assert sweeps("list", "--json", runs=runs).stdout == before
    assert "cannot be read" not in before
    assert find_sweep(runs / NAME).name == NAME
    result = sweeps("remove", NAME, "--yes", runs=runs)
    assert f"studies in {sqlite_url(runs / NAME / 'study.db')}" in result.stdout
    assert "deleted 0" not in result.stdout
    assert not (runs / NAME).exists()


@pytest.mark.parametrize("command", [["run", "--dry-run"], ["search"], ["remove", "--yes"]])
def test_a_sweep_is_not_begun_anew_in_another_storage(runs: Path, tmp_path: Path, command: list[str]) -> None:
    """As where the variable with the storage's URL was forgotten: the report of what was run would be written over."""
    name, *options = command
    result = sweeps(name, NAME, *options, "--storage", sqlite_url(tmp_path / "another.db"), runs=runs)
    assert result.exit_code == 2
    own = sqlite_url(runs / NAME / "study.db")
    assert f"was run in the storage {own}, and sqlite:///{tmp_path}/another.db has nothing of it" in result.stderr
    assert not (tmp_path / "another.db").exists()
    assert find_sweep(runs / NAME).name == NAME


def test_a_journal_is_not_begun_anew_in_another_folder(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its path is relative to where one types, where nothing may be."""
    spec = runs / NAME / "spec.yaml"
    spec.write_text(re.sub(r"storage: .*", "storage: journal:study.log", spec.read_text()))
    (runs / NAME / "study.db").unlink()
    monkeypatch.chdir(tmp_path)
    told = f"the storage journal:study.log that the sweep {NAME!r} was run in is not there"
    for command in (["status", NAME], ["run", NAME, "--dry-run"], ["search", NAME]):
        result = sweeps(*command, runs=runs)
        assert (result.exit_code, told in result.stderr) == (2, True), result.stderr
    assert not Path("study.log").exists()
    assert sweeps("remove", NAME, "--yes", runs=runs).exit_code == 0


def test_a_sweep_that_was_copied_to_another_storage_goes_on_there(runs: Path, tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    source, target = open_storage(sqlite_url(runs / NAME / "study.db")), open_storage(url)
    for name in optuna.get_all_study_names(source):
        optuna.copy_study(from_study_name=name, from_storage=source, to_storage=target)
    result = sweeps("run", NAME, "--dry-run", "--storage", url, runs=runs)
    assert result.exit_code == 0, result.stderr
    here, there = load_sweep(source, NAME), load_sweep(target, NAME)
    pd.testing.assert_frame_equal(here.trials, there.trials, check_like=True)
    pd.testing.assert_frame_equal(here.curves, there.curves)
    assert sweeps("remove", NAME, "--yes", "--storage", url, runs=runs).exit_code == 0
    assert optuna.get_all_study_names(target) == []
    assert (runs / NAME / "study.db").exists()


def test_another_study_of_the_same_name_is_neither_written_into_nor_removed(runs: Path, tmp_path: Path) -> None:
    """As in a database that is shared with others who use Optuna."""
    url = sqlite_url(tmp_path / "shared.db")
    theirs = optuna.create_study(study_name="smoke", storage=open_storage(url))
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    optuna.create_study(study_name="digits/theirs", storage=open_storage(url))
    for command in (["run"], ["run", "--dry-run"], ["remove", "--yes"]):
        result = sweeps(command[0], "smoke", *command[1:], "--storage", url, runs=runs)
        assert result.exit_code == 2
        assert f"{url} has a study 'smoke' with trials, which is no sweep's" in result.stderr
    assert (theirs.user_attrs, len(theirs.trials)) == ({}, 1)
    assert sweeps("remove", "digits", "--yes", "--storage", url, runs=runs).exit_code == 2
    assert optuna.get_all_study_names(url) == ["smoke", "digits/theirs"]


def test_remove_leaves_what_others_wrote_last_into_its_file(runs: Path) -> None:
    """SQLite keeps that beside the file until the last reader is gone."""
    url = sqlite_url(runs / NAME / "study.db")
    open_elsewhere = open_storage(url)
    optuna.create_study(study_name="another", storage=open_elsewhere)
    assert sweeps("remove", NAME, "--yes", runs=runs).exit_code == 0
    assert [study.study_name for study in open_storage(url).get_all_studies()] == ["another"]


def test_a_storage_that_fails_while_it_is_read_is_told_in_a_line(runs: Path) -> None:
    """A file with a page that is damaged stands for a server that goes away: it is opened, and fails later."""
    file = runs / NAME / "study.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trial_values'")
        ((size,),) = database.execute("PRAGMA page_size")
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\1" * size)
    for command in ("status", "export", "report"):
        result = sweeps(command, NAME, runs=runs)
        assert result.exit_code == 2
        assert "the storage failed: (sqlite3.DatabaseError) database disk image is malformed" in result.stderr
        assert "remedy: restore the file from a copy" in result.stderr
    (listed,) = as_json(sweeps("list", "--json", runs=runs))
    assert listed["state"].startswith("cannot be read: the storage failed: (sqlite3.")


def test_a_running_sweep_is_not_removed(runs: Path) -> None:
    storage = open_storage(sqlite_url(runs / NAME / "study.db"))
    with Lease(storage, NAME):
        result = sweeps("remove", NAME, "--yes", runs=runs)
        assert result.exit_code == 2
        assert "is being run by process" in result.stderr
        assert as_json(sweeps("list", "--json", runs=runs))[0]["state"] == "running"
    assert find_sweep(runs / NAME).name == NAME


def test_an_unknown_sweep_lists_those_that_are_there(runs: Path) -> None:
    result = sweeps("status", "before-stop-epok", runs=runs)
    assert result.exit_code == 2
    assert f"did you mean '{NAME}'?" in result.stderr
    assert f"run before, in {runs}: {NAME}" in result.stderr.replace("\n", " ")


def test_status_as_json_has_the_tables_facts(runs: Path) -> None:
    status = as_json(sweeps("status", NAME, "--json", runs=runs))
    record = find_sweep(runs / NAME)
    assert {(s["stage"], s["scenario"], s["method"]): s["planned"] for s in status["studies"]} == record.planned
    assert (status["name"], status["protocol"], status["driver"]) == (NAME, record.spec["protocol"], None)
    assert status["note"] == record.protocol_note
    apart = {found["scenario"]: found for found in status["told_apart"]}
    assert apart == {s: apart[s] for s in record.spec["scenarios"] if told_apart(record, s) is not None}
    assert {found["best"] for found in apart.values()} <= set(record.spec["methods"])
    assert [found["text"] for found in status["remarks"]] == [str(remark) for remark in remarks(record)]
    assert {s: set(of) for s, of in status["winners"].items()} == {s: set(of) for s, of in record.winners.items()}


def test_export_as_json_has_the_yamls_parameters(runs: Path) -> None:
    printed = yaml.safe_load(sweeps("export", NAME, runs=runs).stdout)
    assert as_json(sweeps("export", NAME, "--json", runs=runs)) == printed


def test_export_overwrites_best_parameters_alone(runs: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\n")
    result = sweeps("export", NAME, "-o", str(mine), runs=runs)
    assert result.exit_code == 2
    assert f"so that nothing else is overwritten, got {mine}" in result.stderr
    assert mine.read_text() == "name: mine\n"
    mine.write_text("")
    for _ in range(2):
        assert sweeps("export", NAME, "-o", str(mine), runs=runs).exit_code == 0
    assert as_json(sweeps("export", NAME, "--json", runs=runs)) == yaml.safe_load(mine.read_text())


def test_a_report_overwrites_reports_alone(runs: Path, tmp_path: Path) -> None:
    mine = tmp_path / "paper" / "index.html"
    mine.parent.mkdir()
    mine.write_text("<title>My paper</title>")
    both = (NAME, finish_trivially(runs, outputs=False).spec.name)
    for names in ((NAME,), both):
        result = sweeps("report", *names, "-o", str(mine.parent), runs=runs)
        assert result.exit_code == 2
        assert f"so that nothing else is overwritten, got {mine}" in result.stderr
    assert [path.name for path in mine.parent.iterdir()] == ["index.html"]
    mine.unlink()
    for names in ((NAME,), both):
        assert sweeps("report", *names, "-o", str(mine.parent), runs=runs).exit_code == 0
    _check_output(mine.parent)  # it would replace that page, too


def test_validate_as_json() -> None:
    good = as_json(sweeps("validate", "smoke", "--json"))
    assert good["valid"]
    assert good["trials"] == sum(study["trials"] for study in good["studies"]) > 0
    result = sweeps("validate", "smoke", "--json", "--set", "search.trials=0", "--set", "evaluation.seeds=x")
    assert result.exit_code == 2
    bad = as_json(result)
    assert [problem["key"] for problem in bad["problems"]] == ["search.trials", "evaluation.seeds"]


@pytest.mark.parametrize(
    ("content", "told"), [(b"name: [", "not valid YAML"), (b"\x84", "must be text in UTF-8"), (None, "no such")]
)
def test_what_cannot_be_read_is_json_too(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "bad.yaml"
    if content is not None:
        file.write_bytes(content)
    result = sweeps("validate", str(file), "--json")
    (problem,) = as_json(result)["problems"]
    assert (result.exit_code, problem["key"]) == (2, "(file)")
    assert told in problem["rule"]


@pytest.mark.parametrize(
    "command",
    [
        ["validate", "smoke", "--set", "dataset={name: image_folder, root: ~nobody-here/data}"],
        ["validate", "smoke", "--set", "held_out=~nobody-here/ids.txt"],
        ["status", "smoke", "--storage", "sqlite:///~nobody-here/study.db"],
    ],
)
def test_a_home_folder_of_nobody_is_told(command: list[str]) -> None:
    result = sweeps(*command)
    assert result.exit_code == 2
    assert "there is no such home folder" in result.stderr


@pytest.mark.parametrize("command", ["methods", "scenarios", "datasets", "models", "metrics"])
def test_lists_as_json_have_the_same_keys(command: str) -> None:
    table = sweeps(command).stdout
    for entry in as_json(sweeps(command, "--json")):
        assert entry["key"] in table
        assert entry["about"]


def test_completion(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    (runs.parent / "mine.yaml").write_text("")
    assert sweep_names("") == sorted({*shipped_sweeps(), NAME, "mine.yaml"})
    assert sweep_names("digits") == ["digits", "digits_altered"]
    assert method_names("sure,neg") == ["sure,neg_grad", "sure,neg_grad_plus"]
    assert scenario_names("can") == ["canary"]


def test_a_cache_without_a_home_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNLEARN_SWEEPS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user whom the system does not know
    with pytest.raises(SweepError, match="the cache needs a home folder"):
        Cache.at()


def test_version() -> None:
    assert sweeps("--version").stdout.startswith("unlearn-sweeps")

"""The command line, whole: a real Ray, a real storage, a real kill."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.record import SweepRecord, load_sweep
from sweeps.spec import load_spec
from sweeps.storage import open_storage
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, prepare
from tests.sweeps.processes import count_trials, kill_tree, on_a_terminal, start, sweeps, wait_until

pytestmark = pytest.mark.ray


def write_spec(folder: Path, **changes: Any) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, **changes}))
    return path


def record(folder: Path) -> SweepRecord:
    return load_sweep(open_storage(f"sqlite:///{folder / 'runs/tiny/study.db'}"), "tiny")


def finished(folder: Path) -> int:
    """Trials told so far."""
    return count_trials(folder, "state = 'COMPLETE'")


def stop_between_writes(process: subprocess.Popen[str], database: Path) -> None:
    """Stop a driver where it holds no lock of its database: whoever waits for that would never hear of the driver."""
    while True:
        process.send_signal(signal.SIGSTOP)
        try:
            with contextlib.closing(sqlite3.connect(database, timeout=1)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
            return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)


def here(*arguments: str) -> tuple[int, str, str]:
    """A command in this process: what it prints is looked at, and no run is begun."""
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_run_kill_resume_and_everything_after(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path, logging={"tensorboard": True}, precision="auto", resources={"workers": 1})
    for hidden in ("random", "unlearn"):  # by what the user keeps where he types, from the workers too
        (tmp_path / f"{hidden}.py").write_text(f"raise RuntimeError('{hidden} of the folder')\n")

    # a kill -9 of the whole tree in the middle
    process = start(["run", "tiny.yaml"], tmp_path, cache)
    wait_until(lambda: finished(tmp_path) >= 8 or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]

    # a second driver refuses meanwhile
    stop_between_writes(process, tmp_path / "runs/tiny/study.db")
    code, _, err = here("run", "tiny.yaml")
    assert code == 2
    assert "is being run by process" in err
    kill_tree(process)

    before = record(tmp_path).trials.set_index(["study", "number"])
    before = before[before["state"] == "COMPLETE"]
    decided = record(tmp_path).provenance["precision"]
    assert 8 <= len(before) < sum(record(tmp_path).planned.values())

    # the same command continues, with bars on a terminal
    code, out, err = on_a_terminal(["run", "tiny.yaml"], tmp_path, cache)
    assert code == 0, err
    assert "8/8" in err
    assert "trials are done" in err
    assert "Traceback" not in err
    assert "precision" not in err
    assert out.splitlines() == ["runs/tiny/best_params.yaml", "runs/tiny/report/index.html"]
    assert "resume or extend:  sweeps run tiny.yaml" in err
    assert "results:" not in err
    assert "sweeps dashboard tiny.yaml" in err
    after = record(tmp_path)
    assert after.provenance["precision"] == decided
    assert after.spec["precision"] == decided["chosen"]
    assert (after.trials["state"] != "RUNNING").all()
    assert after.counted.groupby(["stage", "scenario", "method"]).size().to_dict() == after.planned
    kept = after.trials.set_index(["study", "number"]).loc[before.index]
    assert kept["value"].tolist() == before["value"].tolist()
    assert kept["completed"].tolist() == before["completed"].tolist()
    points = after.counted[after.counted["stage"] == "evaluation"]
    assert not points.duplicated(["study", "forget_size", "forget_seed", "training", "run"]).any()

    # run again: all is done, nothing is started
    code, _, err = here("run", "tiny.yaml")
    assert code == 0
    assert f"all {sum(after.planned.values())} trials are done" in err
    assert "results:           sweeps status tiny.yaml" in err
    assert len(record(tmp_path).trials) == len(after.trials)

    # what is left behind
    folder = tmp_path / "runs/tiny"
    logged = {
        str(path.parent.relative_to(folder / "tensorboard")) for path in (folder / "tensorboard").rglob("events*")
    }
    ran = after.trials[~after.trials["requeued"]]
    names = (ran["study"] + "/" + ran["number"].astype(str)).str.removeprefix("tiny/")
    assert set(names) <= logged
    page = (folder / "report/index.html").read_text()
    assert "tiny" in page
    assert list((folder / "report/tables").glob("*.csv"))
    best = yaml.safe_load((folder / "best_params.yaml").read_text())
    assert best["format"] == "unlearn-sweeps/best-params/1"
    assert list(best)[:3] == ["format", "sweep", "protocol"]
    tuned = {"lr", "alpha", "forget_batch_size", "lr_decay_epoch", "stop_epoch"}
    assert set(best["params"]["partial_class"]["sure"]) == tuned
    assert optuna.load_study(
        study_name="tiny/search/partial_class/sure", storage=f"sqlite:///{folder / 'study.db'}"
    ).best_value == pytest.approx(best["scores"]["partial_class"]["sure"]["search"])

    code, out, _ = here("status", "tiny.yaml")
    assert code == 0
    assert "all is done" in out
    code, out, _ = here("export", "tiny")
    exported = yaml.safe_load(out)
    assert exported.pop("provenance")["commit"] == best["provenance"]["commit"]
    assert exported == {key: value for key, value in best.items() if key != "provenance"}

    # the exported file is read back, under another sweep's name, to have the models
    code, out, err = here("models", "tiny")
    assert "8 ran while evaluation.keep_models was off, and have none" in out
    typed = shlex.split(out.rpartition("keep them:  ")[2])
    assert typed[1:5] == ["evaluate", "runs/tiny/spec.yaml", "--params", "runs/tiny/best_params.yaml"]
    code, out, err = sweeps(typed[1:], tmp_path, cache)
    assert code == 0, err
    assert "unlearned models: 8 of 8 completed evaluation trials kept, in " in err
    listed = {each["name"]: each["state"] for each in json.loads(here("list", "--json")[1])}
    assert listed == {"tiny": "done", "tiny-models": "unfinished"}  # its grids are left; its search is not waited for
    models = json.loads(here("models", "tiny-models", "--json")[1])
    assert len({model["place"] for model in models if Path(model["place"]).is_file()}) == 8
    again = load_sweep(open_storage(f"sqlite:///{tmp_path / 'runs/tiny-models/study.db'}"), "tiny-models")
    evaluated = again.counted.query("stage == 'evaluation' and method == 'sure'")
    original = after.counted.query("stage == 'evaluation' and method == 'sure'")
    assert sorted(evaluated["value"]) == pytest.approx(sorted(original["value"]))

    # a changed spec is refused with the keys that differ
    write_spec(tmp_path, unlearning={"epochs": 3}, resources={"workers": 1})
    code, _, err = here("run", "tiny.yaml")
    assert code == 2
    assert "unlearning.epochs: was 2 in the existing sweep, got 3" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "digitz"], "unknown sweep 'digitz', did you mean 'digits'?"),
        (["run", "missing.yaml"], "no such sweep file: missing.yaml"),
        (["run", "digits", "--set", "search.trails=3"], "search.trails: unknown key — did you mean 'trials'?"),
        (["run", "digits", "--methods", "scurb"], "--methods: must be in the sweep, got 'scurb'"),
        (["run", "digits", "--set", "methods=[scurb]"], "unknown method 'scurb' — did you mean 'scrub'?"),
        (["run", "digits", "--set", "dev=1:30"], "dev: must be a number, got '1:30'"),
        (["run", "digits", "--set", "scenarios.partial_class.tune_size=900"], "must be ≤ 1"),
        (["run", "digits", "--runs", "/proc/nowhere"], "folder must be writable, got /proc/nowhere"),
        (
            ["run", "digits", "--storage", "postgresql://me:secret@localhost:1/none"],
            "storage must be a readable database URL, got postgresql://me:***@localhost:1/none",
        ),
        (["status", "digits"], "nothing has been run of 'digits'"),
        (["search", "digits", "--params", "x.yaml"], "--params gives what a search would find"),
        (["evaluate", "digits", "--params", "x.yaml"], "x.yaml: cannot be read"),
    ],
)
def test_bad_input_is_one_screen_exit_code_2_nothing_started(
    tmp_path: Path, cache: Path, arguments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "secret" not in result.output
    assert len(result.stderr.splitlines()) < 25
    assert not (tmp_path / "runs/digits/spec.yaml").exists()


def test_a_dry_run_refuses_what_a_run_would(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path)
    spec = load_spec("tiny.yaml")
    sweep = Sweep.at(spec, Path("runs"))
    sweep.freeze(prepare(sweep))
    code, _, err = here("run", "tiny.yaml", "--dry-run", "--set", "seed=1")
    assert code == 2
    assert "seed: was 0 in the existing sweep, got 1" in err
    code, out, err = here("run", "tiny.yaml", "--dry-run", "--set", "evaluation.seeds=3")
    assert code == 0, err
    assert "images to pass forward and backward" in out


def test_a_dry_run_reads_the_parameters_that_are_given(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path)
    Path("best.yaml").write_text(
        "format: unlearn-sweeps/best-params/1\nparams: {partial_class: {sure: {lr: x}}}\n", encoding="utf-8"
    )
    code, out, err = here("evaluate", "tiny.yaml", "--dry-run", "--params", "best.yaml")
    assert (code, out) == (2, "")
    assert "params.partial_class.sure.lr: must be a number, got 'x'" in err
    assert "params.partial_class.finetune: is missing" in err


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--methods", "--methods must name at least one of the sweep's methods, got '': leave it out for all"),
        ("--scenarios", "--scenarios must name at least one of the sweep's scenarios, got '': leave it out for all"),
        ("--storage", "storage: must be a URL, got ''"),
    ],
)
def test_an_empty_option_is_not_one_left_out(
    option: str, told: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path)
    for words in ([], ["--dry-run"]):
        code, out, err = here("run", "tiny.yaml", option, "", *words)
        assert (code, out) == (2, "")
        assert told in err
    assert not Path("runs").exists()


def test_a_dry_run_starts_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", "digits", "--dry-run"])
    assert result.exit_code == 0, result.stderr
    assert re.search(r"search +partial_class\b.* +sure +8\b", result.stdout)
    assert "images to pass forward and backward" in result.stdout
    assert not (tmp_path / "runs").exists()

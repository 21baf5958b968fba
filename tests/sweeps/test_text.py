"""Text that breaks what reads it: cleaned where it enters the storage, and where an old storage already holds it."""

from __future__ import annotations

import traceback
import unicodedata
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import BaseStorage
from typer.testing import CliRunner

from reports.notes import study_note
from sweeps.cli.app import app
from sweeps.cli.status import MOST_LINES
from sweeps.jobs.job import Update
from sweeps.record import load_sweep
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.sweep import Sweep
from sweeps.text import BRIEF, LONGEST, clean, clean_all, in_brief, shortened
from tests.sweeps.conftest import TINY, open_studies, prepare

STUDY = "tiny/search/partial_class/sure"
EVIL = [
    "ValueError: \ud800 lone",
    "ValueError: \x1b[2J\x1b[31mred\x07 \x9b31m",
    "ValueError: " + "x" * 3_000_000,
    "\n".join(f"line {i}" for i in range(5000)),
    "ValueError: <script>alert(1)</script> [bold]x[/bold] [a](javascript:b) `c` | d",
    "ValueError: \u202eabc\u2066 \r overwritten",
    "",
]


@given(st.text(st.characters(categories=["Cs", "Cc", "Cf", "L", "Zl"]), max_size=50))
def test_clean_text_is_text_for_everybody(text: str) -> None:
    told = clean(text)
    assert told.encode().decode() == told
    assert not any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n" for c in told)
    assert clean(told) == told


def test_known_answers() -> None:
    assert clean("a\x1b[1m\r\nb\tc\x00\ud800ü") == "a\\x1b[1m\nb\tc\\x00\ufffdü"
    assert clean("\u202e") == "\\u202e"
    long = clean("a" * 30_000 + "end")
    assert long.startswith("a" * (LONGEST // 2))
    assert long.endswith("aend")
    assert "10,003 characters left out" in long
    assert clean_all({"k\x00": ["\x07", 1, None, {"x": "\ud8ff"}]}) == {"k\\x00": ["\\x07", 1, None, {"x": "\ufffd"}]}


def prepared(tmp_path: Path) -> tuple[Sweep, BaseStorage]:
    sweep = Sweep.at(parse_spec({**TINY, "methods": {"sure": {}}}), tmp_path / "runs")
    storage = prepare(sweep)
    sweep.freeze(storage)
    return sweep, storage


def raised(message: str) -> str:
    try:
        raise ValueError("one") from KeyError("two\nof it")
    except ValueError as error:
        try:
            raise RuntimeError(message) from error
        except RuntimeError:
            return traceback.format_exc()


def test_a_reason_in_brief_is_the_exception_and_not_the_last_of_its_lines() -> None:
    known = 'Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "a".\n\n'
    assert in_brief(raised(known)) == (
        'RuntimeError: Error(s) in loading state_dict for Net: Missing key(s) in state_dict: "a".'
    )
    assert in_brief(raised("")) == "RuntimeError"
    assert in_brief("RuntimeError: oh\nthe worker died (attempt 3 of 3)\n") == "the worker died (attempt 3 of 3)"
    assert in_brief(" \n") == ""
    assert len(in_brief(raised("x" * 9000))) < BRIEF + 40


def test_nothing_is_left_out_that_is_shorter_than_saying_so() -> None:
    assert shortened("a" * 66, 60) == "a" * 66
    assert len(shortened("a" * 200, 60)) < 100


def put_by_an_older_version(storage: BaseStorage) -> None:
    study = optuna.create_study(study_name=STUDY, storage=storage)
    for reason in EVIL:
        trial = study.ask()
        trial.set_user_attr("outcome", "error")
        trial.set_user_attr("fail_reason", reason)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


@pytest.mark.parametrize("verbose", [False, True])
def test_status_of_an_old_storage_opens_and_says_a_screenful_of_each(
    tmp_path: Path, cache: Path, verbose: bool
) -> None:
    _, storage = prepared(tmp_path)
    put_by_an_older_version(storage)
    result = CliRunner().invoke(app, ["status", "tiny", "--runs", str(tmp_path / "runs"), *(["-v"] if verbose else [])])
    assert result.exit_code == 1
    assert not any(ord(c) < 32 and c != "\n" for c in result.stdout)
    assert len(result.stdout) < 30_000
    assert "[bold]x[/bold]" in result.stdout
    assert "lone" in result.stdout
    assert "trial 6: unknown" in result.stdout
    of_lines = [line for line in result.stdout.splitlines() if "line " in line]
    assert len(of_lines) == (MOST_LINES if verbose else 1)
    assert "line 4999" in result.stdout


def test_reports_of_an_old_storage_are_written(tmp_path: Path, cache: Path) -> None:
    sweep, storage = prepared(tmp_path)
    put_by_an_older_version(storage)
    elsewhere = tmp_path / "elsewhere"
    before = sorted(p for p in sweep.folder.path.rglob("*") if not p.name.startswith("study.db"))
    result = CliRunner().invoke(app, ["report", "tiny", "--runs", str(tmp_path / "runs"), "-o", str(elsewhere)])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(elsewhere / "index.html")]
    assert (elsewhere / "best_params.yaml").is_file()
    assert (elsewhere / "tables").is_dir()
    assert "<script>alert" not in (elsewhere / "index.html").read_text(encoding="utf-8")
    assert sorted(p for p in sweep.folder.path.rglob("*") if not p.name.startswith("study.db")) == before


@pytest.mark.parametrize("reason", EVIL)
def test_what_a_trial_says_is_clean_in_the_storage_and_in_notes(
    tmp_path: Path, cache: Path, url: str, reason: str
) -> None:
    sweep, storage = prepared(tmp_path)
    studies = open_studies(sweep.spec, storage)
    assignment = studies.next()
    assert assignment is not None
    studies.finish(assignment, Update("error", reason=reason))
    study = optuna.load_study(study_name=assignment.open_study.plan.name, storage=open_storage(sweep.url))
    kept = study.trials[assignment.trial.number].user_attrs["fail_reason"]
    assert kept.encode()
    assert len(kept) < LONGEST + 1000
    note = study_note(load_sweep(storage, "tiny"), assignment.open_study.plan.key)
    assert "Failed for good" in note
    assert "<script" not in note
    assert "[a](javascript" not in note
    assert len(note) < 5000

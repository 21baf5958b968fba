"""Commands that status tells lead to where the sweep is, though it was typed elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.trivial_sweep import finish_trivially
from sweeps.cli.app import app
from sweeps.cli.options import Options
from sweeps.cli.status import continuing
from sweeps.record.record import empty_record
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
        ("run my.yaml", "sensitivity", "run my.yaml"),
    ],
)
def test_a_stage_that_is_done_is_not_told_to_be_run_again(tiny: SpecMaker, typed: str, left: str, told: str) -> None:
    record = replace(empty_record(tiny()), planned={(left, "random", "sure"): 2})
    record.provenance.update(command=f"sweeps {typed}", commands=[f"sweeps {typed}"])
    assert continuing(record, Options("tiny", Path("runs"))) == f"sweeps {told}"


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

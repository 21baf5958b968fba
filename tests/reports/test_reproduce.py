"""The report's own commands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.page.reproduce import steps
from tests.reports.conftest import RecordBuilder


def commands(builder: RecordBuilder, *typed: str) -> list[str]:
    record = replace(builder.record(), provenance={"commands": list(typed)})
    return [command for command, _ in steps(record)]


@pytest.mark.parametrize("runs", ["--runs 'my runs'", "--runs='my runs'"])
def test_everything_typed_is_there(builder: RecordBuilder, runs: str):
    options = f"{runs} --set search.trials=5 --storage sqlite:///a.db --workers 2"
    found = commands(builder, f"sweeps run own.yaml {options} --retry-failed")
    assert found[0].replace("'--runs=my runs'", "--runs='my runs'") == f"sweeps run own.yaml {options}"
    assert found[1].startswith("sweeps evaluate own.yaml ")
    assert "--set search.trials=5" in found[1]
    assert found[1].endswith("--params 'my runs/tiny/best_params.yaml'")
    assert found[2] == "sweeps report tiny --runs 'my runs' --storage sqlite:///a.db"


def test_every_command_that_ran_stages_is_there_once(builder: RecordBuilder):
    typed = ("sweeps search a.yaml", "sweeps evaluate a.yaml --params p.yaml", "sweeps search a.yaml")
    found = commands(builder, *typed, "pytest -n 0", "sweeps evaluate 'broken")
    assert found[:2] == list(typed[:2])
    assert found[2] == "sweeps evaluate a.yaml --params runs/tiny/best_params.yaml"


def test_a_sweep_run_from_python_has_its_name(builder: RecordBuilder):
    assert commands(builder) == [
        "sweeps run tiny",
        "sweeps evaluate tiny --params runs/tiny/best_params.yaml",
        "sweeps report tiny",
    ]


def test_one_that_lies_elsewhere_is_led_to(builder: RecordBuilder):
    record = replace(builder.record(), provenance={}, place=("--runs", "my runs"))
    assert [command for command, _ in steps(record)] == [
        "sweeps run tiny --runs 'my runs'",
        "sweeps evaluate tiny --runs 'my runs' --params 'my runs/tiny/best_params.yaml'",
        "sweeps report tiny --runs 'my runs'",
    ]


def test_of_an_older_storage_the_last_command_is_known(builder: RecordBuilder):
    record = replace(builder.record(), provenance={"command": "sweeps run b.yaml --runs r", "commit": "abc"})
    assert [c for c, _ in steps(record)][:2] == ["git checkout abc", "sweeps run b.yaml --runs r"]


def test_a_precision_that_was_decided_is_fixed(builder: RecordBuilder):
    """Decided once more, on another machine or at another time, it might be another."""
    typed = ["sweeps run a.yaml --set precision=auto --set seed=1", "sweeps evaluate a.yaml"]
    decision = {"asked": "auto", "chosen": "bfloat16", "because": "it is quick"}
    record = replace(builder.record(), provenance={"commands": typed, "precision": decision})
    found = steps(record)
    assert found[:2] == [
        (
            "sweeps run a.yaml --set seed=1 --set precision=bfloat16",
            "the whole sweep; run again, it resumes, in the precision that was decided for it",
        ),
        (
            "sweeps evaluate a.yaml --set precision=bfloat16",
            "the evaluation; run again, it resumes, in the precision that was decided for it",
        ),
    ]
    assert found[2][0] == "sweeps evaluate a.yaml --set precision=bfloat16 --params runs/tiny/best_params.yaml"
    given = replace(record, provenance={"commands": typed})
    assert steps(given)[0][0] == typed[0]

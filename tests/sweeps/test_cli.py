"""Every command has help and a line in the README; help is quick because nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sweeps.cli.app import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_documentation(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()[3].strip()) > 10
    assert f"`sweeps {command}" in README


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sweeps.cli.app import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'ray', 'optuna', 'pandas', 'sklearn', 'plotly', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("methods", "sure"),
        ("scenarios", "partial_class"),
        ("datasets", "image_folder"),
        ("models", "resnet18"),
        ("metrics", "mia_loss"),
    ],
)
def test_lists(command: str, expected: str) -> None:
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 0
    assert expected in result.output


def test_validate() -> None:
    assert "valid" in CliRunner().invoke(app, ["validate", "digits"]).output
    assert CliRunner().invoke(app, ["validate", "digits", "--set", "seed=x"]).exit_code == 2

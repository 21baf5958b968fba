"""Every command has help and a line in the README; help is quick because nothing heavy is imported for it."""

from __future__ import annotations

import ast
import lzma
import os
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


HEAVY = ("torch", "torchvision", "ray", "plotly", "sklearn", "scipy")


def imported(arguments: list[str], among: tuple[str, ...], folder: Path) -> list[str]:
    """Which of some packages a command imports."""
    code = (
        f"import sys\nfrom sweeps.cli.app import app\n"
        f"try: app({arguments})\nexcept SystemExit as done: assert done.code in (0, None), done.code\n"
        f"print([m for m in {among} if m in sys.modules])"
    )
    env = os.environ | {"XDG_CACHE_HOME": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    found: list[str] = ast.literal_eval(done.stdout.splitlines()[-1])
    return found


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported(["--help"], (*HEAVY, "optuna", "pandas", "pydantic"), tmp_path) == []


def test_commands_that_only_look_import_nothing_heavy(tmp_path: Path) -> None:
    """What is known of components is kept from the first of them on; the storage is one of an older version."""
    folder = tmp_path / "runs" / "before-stop-epoch"
    folder.mkdir(parents=True)
    old = Path(__file__).parents[1] / "data" / "before_stop_epoch"
    (folder / "study.db").write_bytes(lzma.decompress((old / "study.db.xz").read_bytes()))
    (folder / "spec.yaml").write_bytes((old / "spec.yaml").read_bytes())
    assert "torch" in imported(["methods"], HEAVY, tmp_path)
    status = ["status", "before-stop-epoch", "--runs", str(tmp_path / "runs")]
    for command in (["methods"], ["metrics"], ["models"], ["scenarios"], ["validate", "smoke"], status):
        assert imported(command, HEAVY, tmp_path) == [], command


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

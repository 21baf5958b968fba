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

from benchmarks.trivial_sweep import finish_trivially
from sweeps.cli.app import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_documentation(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()[3].strip()) > 10
    assert f"`sweeps {command}" in README


HEAVY = ("torch", "torchvision", "ray", "plotly", "sklearn", "scipy", "optuna_dashboard", "mlflow", "tensorboardX")
SCIENCE = ("optuna", "pandas", "sqlalchemy", "yaml")


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


def test_commands_that_start_nothing_import_nothing_heavy(tmp_path: Path, cache: Path) -> None:
    """What is known of components is kept from the first of them on; one storage is of an older version."""
    folder = tmp_path / "runs" / "before-stop-epoch"
    folder.mkdir(parents=True)
    old = Path(__file__).parents[1] / "data" / "before_stop_epoch"
    (folder / "study.db").write_bytes(lzma.decompress((old / "study.db.xz").read_bytes()))
    (folder / "spec.yaml").write_bytes((old / "spec.yaml").read_bytes())
    finished = finish_trivially(tmp_path / "runs").spec.name
    runs, no_gpus = ["--runs", str(tmp_path / "runs")], ["--set", "resources.gpus_per_trial=0"]
    assert "torch" in imported(["methods"], HEAVY, tmp_path)
    for command in ("methods", "scenarios", "datasets", "models", "metrics"):
        assert imported([command], (*HEAVY, *SCIENCE), tmp_path) == [], command
    for command in (
        *(
            ["validate", "smoke"],
            ["validate", "cifar10_resnet18", *no_gpus],
            ["validate", "cifar10_vit_small", *no_gpus],
        ),
        *(["status", "before-stop-epoch", *runs], ["status", finished, *runs]),
        *(["run", finished, *runs, "--dry-run"], ["run", finished, *runs]),
    ):
        unused = {"validate": {*HEAVY, "pandas"}, "status": {*HEAVY, "scipy.stats"} - {"scipy"}}.get(command[0], HEAVY)
        assert imported(command, tuple(unused), tmp_path) == [], command


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

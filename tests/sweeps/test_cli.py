"""Every command has help and a line in the README; help is quick because nothing heavy is imported for it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.trivial_sweep import finish_trivially
from sweeps.cli.app import app
from sweeps.cli.options import Options
from tests.sweeps.conftest import OLD_NAME
from tests.sweeps.processes import finish, start

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_documentation(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()[3].strip()) > 10
    assert f"## `sweeps {command}" in PAGE


HEAVY = ("torch", "torchvision", "ray", "plotly", "sklearn", "scipy", "optuna_dashboard", "mlflow", "tensorboardX")
DRIVERS = ("optuna", "sqlalchemy", "alembic", "sklearn", "scipy", "plotly", "typer")
DATABASES = ("optuna", "pandas", "sqlalchemy", "yaml")


def imported(steps: list[tuple[list[list[str]], set[str]]], folder: Path) -> list[list[str]]:
    """Of each step, which of some packages its commands and those before them import: all run in one process."""
    code = (
        f"import sys\nfrom sweeps.cli.app import app\nfound = []\nfor commands, among in {steps}:\n"
        "    for command in commands:\n        try: app(command)\n"
        "        except SystemExit as done: assert done.code in (0, None), done.code\n"
        "    found.append([m for m in among if m in sys.modules])\nprint(found)"
    )
    env = os.environ | {"XDG_CACHE_HOME": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    found: list[list[str]] = ast.literal_eval(done.stdout.splitlines()[-1])
    return found


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported([([["--help"]], {*HEAVY, "optuna", "pandas", "pydantic"})], tmp_path) == [[]]


def test_commands_that_start_nothing_import_nothing_heavy(tmp_path: Path, cache: Path, runs: Path) -> None:
    """What is known of components is kept from the first of them on; one storage is of an older version.

    Steps that may import more come later.
    """
    finished = finish_trivially(runs).spec.name
    where, no_gpus = ["--runs", str(runs)], ["--set", "resources.gpus_per_trial=0"]
    assert imported([([["methods"]], {"torch"})], tmp_path) == [["torch"]]
    lists = [[command] for command in ("methods", "scenarios", "datasets", "models", "metrics")]
    repeated = [["validate", name, *no_gpus] for name in ("cifar10_resnet18", "cifar10_vit_small")]
    counted = {*HEAVY, "scipy.stats"} - {"scipy"}  # how far sets that repeat each other mislead needs some of it
    steps = [
        (lists, {*HEAVY, *DATABASES}),
        ([["validate", "smoke"]], {*HEAVY, "pandas", "sqlalchemy"}),
        ([["run", finished, *where, "--dry-run"], ["run", finished, *where]], {*HEAVY}),
        (repeated, counted),
        ([["status", name, *where] for name in (OLD_NAME, finished)], counted),
    ]
    assert imported(steps, tmp_path) == [[]] * len(steps)


def installed(arguments: list[str], folder: Path, *, flags: str = "") -> subprocess.CompletedProcess[str]:
    """`sweeps ARGUMENTS` in `folder` by a script that lies elsewhere, as pip installs it."""
    script = folder.parent / "elsewhere" / "sweeps"
    script.parent.mkdir(exist_ok=True)
    script.write_text("from sweeps.cli import main\n\nmain()\n")
    env = os.environ | {"PYTHONPATH": str(ROOT), "UNLEARN_SWEEPS_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, *flags.split(), str(script), *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_code_of_the_folder_that_one_types_in_is_found_and_hides_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "net.py").write_text(
        "from torch import nn\n\n\n"
        "def Net(num_classes, image_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))\n"
    )
    for hidden in ("yaml", "torch", "random"):
        (folder / f"{hidden}.py").write_text(f"raise RuntimeError('{hidden} of the folder')\n")
    command = ["validate", "smoke", "--set", "model={name: net:Net}"]
    found = installed(command, folder)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("smoke: valid")
    safe = installed(command, folder, flags="-P")
    assert safe.returncode == 2
    assert "there is no module 'net'" in safe.stderr


@pytest.mark.parametrize("before", ["import torch, triton", "import torch", "import optuna"])
def test_nothing_is_said_as_python_ends(before: str) -> None:
    """Of whatever a command has imported: that is not gone through at the end, unless something of it counts what is left."""
    if "triton" in before:
        pytest.importorskip("triton")
    code = f"import sys\n{before}\nsys.argv = ['sweeps', 'methods']\nfrom sweeps.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sure" in done.stdout
    assert done.stderr == ""


def test_a_worker_imports_nothing_of_the_drivers() -> None:
    code = (
        f"import sys, sweeps.ray_tune.trainable, sweeps.jobs.worker\nprint([m for m in {DRIVERS} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == []


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


@pytest.mark.parametrize(
    ("overrides", "word"),
    [(None, "digits"), (["search.trials=3"], "digits"), (["name=second", "seed=1"], "second"), (["name=a b"], "'a b'")],
)
def test_a_command_that_follows_names_the_sweep_that_ran(overrides: list[str] | None, word: str) -> None:
    assert Options("digits", Path("runs"), overrides=overrides).word == word


@pytest.mark.parametrize("arguments", [["methods"], ["scenarios", "--json"], ["--help"], ["--version"]])
def test_who_has_read_enough_of_an_answer_hears_no_error(arguments: list[str], tmp_path: Path) -> None:
    process = start(arguments, tmp_path, tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert (process.stderr.read(), process.wait()) == ("", 0)


@pytest.mark.parametrize(
    ("arguments", "expected"), [(["run", "digits", "--dry-run"], 0), (["validate", "absent"], 2), (["absent"], 2)]
)
def test_that_nobody_reads_what_is_told_beside_an_answer_stops_nothing(
    arguments: list[str], expected: int, tmp_path: Path, cache: Path
) -> None:
    """Notes and errors go to stderr: a run whose progress went into `head` ended with code 0, as if it were done."""
    read, write = os.pipe()
    os.close(read)
    process = start(arguments, tmp_path, cache, stderr=write)
    os.close(write)
    code, out, _ = finish(process)
    assert code == expected
    assert ("storage: sqlite:///" in out) == (code == 0)


@pytest.mark.parametrize("command", ["methods", "--help"])
def test_an_answer_into_a_file_on_a_full_disk(command: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sweeps.cli", command],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        alone = subprocess.run([sys.executable, "-m", "sweeps.cli", "validate", "absent"], stderr=full, check=False)
    first, remedy = done.stderr.splitlines()
    assert first == "the output cannot be read or written: No space left on device"
    assert "make room there" in remedy
    assert (done.returncode, alone.returncode) == (2, 2)


def test_streams_that_are_closed_stop_nothing(tmp_path: Path) -> None:
    """What is told to a closed stderr is not told as an answer, either."""
    command = f"UNLEARN_SWEEPS_CACHE={tmp_path} {sys.executable} -m sweeps.cli"
    for ask, code in (("methods >&-", 0), ("validate absent 2>&-", 2), ("run smoke --dry-run >&- 2>&-", 0)):
        done = subprocess.run(f"{command} {ask}", shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")

"""The example package installs, its own tests pass, and its sweep runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[1] / "docs" / "example-package"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables under which the package is installed, in a folder of its own."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("needs uv, to install the package")
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "package")
    command = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--no-deps",
        "--target",
        str(folder),
        str(source),
    ]
    subprocess.run(command, check=True)
    paths = [str(folder), str(EXAMPLE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    cache = str(tmp_path_factory.mktemp("cache"))
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "UNLEARN_SWEEPS_CACHE": cache}


def test_its_own_tests_pass(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(EXAMPLE / "tests")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=EXAMPLE)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("...")


SWEEP = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from sweeps.cli.app import app
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.record import load_sweep
from sweeps.spec import load_spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import serve

asked = ["methods", "--json"], ["datasets"], ["validate", sys.argv[1], "--json"]
done = [CliRunner().invoke(app, command) for command in asked]
fewer = ["search.trials=2", "search.confirm=none", "references.oracles=1"]
sweep = Sweep.at(load_spec(sys.argv[1], fewer), Path(sys.argv[2]))
storage = sweep.prepare()
sweep.freeze(storage)
studies = Multiplexer(make_plan(sweep.spec), storage)
serve(studies, Worker(sweep.spec, sweep.cache))
record = load_sweep(storage, sweep.spec.name)
trials = record.trials[record.trials["stage"] == "evaluation"]
gap = trials["metric.calibration_error_gap"]
found = {"states": sorted(set(trials["state"])), "n": len(trials), "gap": gap.notna().all().item()}
told = [(each.exit_code, each.stdout) for each in done]
print(json.dumps({"told": told, "found": found | {"winners": sorted(record.winners["random"])}}))
"""


@pytest.fixture(scope="module")
def done(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What commands say of it, and its sweep, in one process, as each would import torch.

    Through the studies and a worker: Ray adds nothing that the package could break.
    """
    command = [sys.executable, "-c", SWEEP, str(EXAMPLE / "sweep.yaml"), str(tmp_path_factory.mktemp("runs"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=EXAMPLE.parents[1])
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_its_components_are_listed_and_its_sweep_validates(done: dict[str, Any]) -> None:
    codes, (methods, datasets, validated) = zip(*done["told"], strict=True)
    assert codes == (0, 0, 0)
    listed = {entry["key"]: entry for entry in json.loads(methods)}
    assert listed["noisy_finetune"]["searched"] == ["lr", "noise"]
    assert "two_moons" in datasets
    assert json.loads(validated)["valid"]


def test_its_sweep_runs(done: dict[str, Any]) -> None:
    assert done["found"] == {
        "states": ["COMPLETE"], "n": 4, "gap": True, "winners": ["finetune", "noisy_finetune"]
    }  # fmt: skip

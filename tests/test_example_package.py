"""The example package installs, its own tests pass, and its sweep runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_its_components_are_listed_and_its_sweep_validates(environment: dict[str, str]) -> None:
    def sweeps(*arguments: str) -> str:
        command = [sys.executable, "-m", "sweeps.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    listed = {entry["key"]: entry for entry in json.loads(sweeps("methods", "--json"))}
    assert listed["noisy_finetune"]["searched"] == ["lr", "noise"]
    assert "two_moons" in sweeps("datasets")
    assert json.loads(sweeps("validate", str(EXAMPLE / "sweep.yaml"), "--json"))["valid"]


SWEEP = """
import json, sys
from pathlib import Path
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.record import load_sweep
from sweeps.spec import load_spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import serve

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
print(json.dumps(found | {"winners": sorted(record.winners["random"])}))
"""


def test_its_sweep_runs(environment: dict[str, str], tmp_path: Path) -> None:
    """Through the studies and a worker in one process: Ray adds nothing that the package could break."""
    command = [sys.executable, "-c", SWEEP, str(EXAMPLE / "sweep.yaml"), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=EXAMPLE.parents[1])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"states": ["COMPLETE"], "n": 4, "gap": True, "winners": ["finetune", "noisy_finetune"]}

"""Each name that Ray and tensorboardX do not promise to keep is there; without one, a run stops first or does without."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from sweeps.errors import SweepError
from sweeps.ray_tune.internals import (
    KEPT,
    LOG_MONITOR,
    NAMES,
    NODE_DIED_WORDS,
    OUT_OF_MEMORY_WORDS,
    RAY_ENVIRONMENT,
    UNASKED,
    Name,
    check,
    fewer_processes,
    forget_finished,
    job,
    no_progress,
    quiet,
    uncounted,
)
from sweeps.storage import open_storage
from sweeps.sweep import Sweep, run_sweep
from tests.sweeps.conftest import SpecMaker

pytestmark = [
    pytest.mark.ray,  # it takes seconds to import
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run sets before it imports Ray, taken back afterwards."""
    for name, value in RAY_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def remove(name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a release of Ray that has no such name."""
    module, _, kind = name.where.partition(":")
    holder: Any = importlib.import_module(module)
    monkeypatch.delattr(getattr(holder, kind) if kind else holder, name.name)


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_it_is_there(name: Name) -> None:
    pytest.importorskip(name.package)
    assert name.exists
    assert not Name(name.where, f"{name.name}_gone", "").exists
    assert not Name(f"{name.where}_gone", name.name, "").exists


def test_ray_reads_the_environment_and_says_the_words() -> None:
    ray = Path(importlib.import_module("ray").__file__ or "").parent
    files = [path for folder in ("tune", "train", "_private", "_common") for path in (ray / folder).rglob("*.py")]
    text = b"".join(path.read_bytes() for path in files)
    text += b"".join((ray / "core/src/ray" / name).read_bytes() for name in ("gcs/gcs_server", "raylet/raylet"))
    assert [name for name in RAY_ENVIRONMENT if name.encode() not in text] == []
    text += (ray / "exceptions.py").read_bytes()
    assert [words for words in (*OUT_OF_MEMORY_WORDS, *NODE_DIED_WORDS) if words.encode() not in text] == []


def test_without_docstrings_which_ray_reads_nothing_is_begun(
    tiny: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.sweep.sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    with pytest.raises(SweepError, match="PYTHONOPTIMIZE"):
        run_sweep(Sweep.at(tiny(), tmp_path), ["search"])
    assert not any(tmp_path.iterdir())


def test_without_a_needed_name_no_trial_is_begun(
    tiny: SpecMaker, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray  # noqa: PLC0415  # after the environment is set

    (name,) = (name for name in NAMES if name.name == "_actor_task_failed")
    remove(name, monkeypatch)
    monkeypatch.setenv("UNLEARN_SWEEPS_CACHE", str(cache))
    sweep = Sweep.at(tiny(), tmp_path)
    with pytest.raises(SweepError) as caught:
        run_sweep(sweep, ["search"])
    rule, remedy = str(caught.value).splitlines()
    assert rule.startswith(
        f"ray must be a release that has ray.air.execution._internal.actor_manager.RayActorManager._actor_task_failed, "
        f"got {version('ray')}; without, a sweep loses the run"
    )
    assert "pip install 'ray>=2.50.0,<=" in remedy
    assert not ray.is_initialized()
    studies = optuna.get_all_study_summaries(open_storage(sweep.url))
    assert len(studies) > 1
    assert sum(study.n_trials for study in studies) == 0


@pytest.mark.parametrize("text", ["TrialProgressCallback", "print_to_stdstream", "tag_callbacks", "start_monitor"])
def test_without_another_name_that_is_said(
    text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (name,) = (name for name in NAMES if name.name == text)
    remove(name, monkeypatch)
    with caplog.at_level(logging.WARNING):
        check("ray")
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [f"ray {version('ray')} has no {name}"]
    assert name.lost in caplog.text
    with quiet(verbose=False), uncounted(), fewer_processes(logs=False):
        assert len(no_progress()) == (text != "TrialProgressCallback")


@pytest.mark.parametrize("logs", [True, False])
def test_processes_that_nothing_uses_are_not_started(*, logs: bool) -> None:
    from ray._private.node import Node  # noqa: PLC0415  # after the environment is set

    names = [*UNASKED, LOG_MONITOR]
    before = [getattr(Node, name) for name in names]
    with fewer_processes(logs=logs):
        replaced = [getattr(Node, name) is not start for name, start in zip(names, before, strict=True)]
        assert replaced == [True, True, not logs]
    assert [getattr(Node, name) for name in names] == before


def test_trackers_that_a_sweep_does_not_use_are_not_imported(tmp_path: Path) -> None:
    """Ray Tune itself imports each that is installed before a run with callbacks, and MLflow writes into the home folder."""
    for name in ("mlflow", "wandb"):
        (tmp_path / f"{name}.py").write_text(f"print('{name} is imported')\n")
    code = (
        "from contextlib import nullcontext\nfrom ray import tune\nfrom ray.tune import tune as module\n"
        "from sweeps.ray_tune.internals import uncounted\n"
        "for context in (uncounted, nullcontext):\n"
        "    with context(): print(module.air_usage.tag_callbacks([tune.Callback()]))\n"
    )
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    printed = done.stdout.splitlines()
    assert printed[:1] == ["False"]
    assert "mlflow is imported" in printed[1:]


def test_with_every_name_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    check("ray")
    assert not caplog.records
    assert os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] == "1"


@pytest.mark.parametrize("missing", [None, "_trials", *KEPT])
def test_finished_trials_are_let_go_of_or_all_are_kept(missing: str | None) -> None:
    class Trial:
        def __init__(self, *, finished: bool) -> None:
            self.is_finished = lambda: finished

    done, running = Trial(finished=True), Trial(finished=False)
    lists = {"_trials": [done, running]} | {name: {done, running} for name in KEPT}
    controller = SimpleNamespace(**{name: kept for name, kept in lists.items() if name != missing})
    assert forget_finished(controller) == (set() if missing else {done})
    for kept in vars(controller).values():
        assert set(kept) == ({done, running} if missing else {running})


def test_workers_search_first_what_this_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's folder, behind one that the script put first, too; one that stands behind Python's modules is left out."""
    script, typed_in, other = (tmp_path / name for name in ("script", "typed_in", "other"))
    python = Path(os.__file__).parent

    def found(*folders: Path | str) -> list[str]:
        of_job = job()
        monkeypatch.setattr(sys, "path", list(map(str, folders)))
        of_job._py_driver_sys_path.extend([str(script), str(typed_in)])  # as Ray does
        monkeypatch.undo()
        return [Path(folder).name for folder in of_job._py_driver_sys_path]

    assert found(script, python, other) == ["script"]
    assert found(other, script, python, typed_in) == ["script"]
    assert found(other, python, typed_in) == []
    assert found(script, typed_in, python) == ["typed_in", "script"]  # a worker puts each before those that it has

"""Trials that share a GPU by MPS: how many do, and the daemon that lets them (a stand-in: it needs no GPU)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import SpecError
from sweeps.jobs import mps, sharing
from sweeps.jobs.mps import CONTROL, PIPES, served_by_mps
from sweeps.jobs.sharing import KIND, Sharing, shared, speed_of_sharing
from sweeps.jobs.speed import is_known, measurement_file
from sweeps.resources import workers_of
from sweeps.spec import Sizes, Spec, parse_spec
from sweeps.sweep import Sweep
from sweeps.sweep import sharing as sharing_of
from tests.sweeps.conftest import TINY

SIZES = Sizes(train=100, dev=10, test=20, image_shape=(1, 8, 8), classes=10)
#: A daemon is there as long as this file of its pipes' folder.
STAND_IN = f"""#!/bin/sh
pipes=${{{PIPES}:-$NO_PIPES}}
said=$(cat)
echo "$1 $said" >> "$SAID"
case "$1$said" in
    -d) [ -z "$REFUSES" ] || {{ echo "An instance of this daemon is not allowed"; exit 1; }}; touch "$pipes/control" ;;
    *) [ -f "$pipes/control" ] || {{ echo "Cannot find MPS control daemon process"; exit 0; }} ;;
esac
case "$said" in quit*) rm "$pipes/control" ;; esac
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A daemon's program is installed; gives what it was told."""
    program, log = tmp_path / "bin" / CONTROL, tmp_path / "said"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o700)
    (tmp_path / "none").mkdir()
    log.touch()
    for name, value in {"SAID": log, "NO_PIPES": tmp_path / "none", PIPES: None, mps.LOGS: None}.items():
        monkeypatch.setenv(name, str(value)) if value else monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: log.read_text().split("\n")[:-1]


def test_a_daemon_of_its_own_is_there_within(said: Callable[[], list[str]]) -> None:
    with served_by_mps() as lack:
        assert lack is None
        pipes = Path(os.environ[PIPES])
        assert (pipes / "control").exists()
        assert pipes.parent.stat().st_mode & 0o077 == 0
        assert Path(os.environ[mps.LOGS]).is_dir()
    assert said() == [" get_server_list", "-d ", " quit -t 5"]
    assert not pipes.parent.exists()
    assert PIPES not in os.environ
    assert mps.LOGS not in os.environ


def test_a_daemon_that_is_there_is_left_alone(said: Callable[[], list[str]], tmp_path: Path) -> None:
    (tmp_path / "none" / "control").touch()
    with served_by_mps() as lack:
        assert lack is None
        assert PIPES not in os.environ
    assert said() == [" get_server_list"]


def test_a_daemon_that_does_not_start_says_why(said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSES", "1")
    with served_by_mps() as lack:
        assert lack == "it could not be started: An instance of this daemon is not allowed"
    assert said() == [" get_server_list", "-d "]


def test_where_it_is_not_installed_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with served_by_mps() as lack:
        assert lack == "nvidia-cuda-mps-control is not installed"


def test_a_daemon_ends_with_a_process_that_is_killed(said: Callable[[], list[str]]) -> None:
    code = "from sweeps.jobs.mps import served_by_mps\nwith served_by_mps(): print('in', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        assert said()[-1] == "-d "
        process.kill()
    deadline = time.monotonic() + 60
    while said()[-1] != " quit -t 5":
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("rates", "memory", "most", "best"),
    [
        ({"1": 100, "2": 140, "4": 170}, 0.01, 16, 4),
        ({"1": 100, "2": 140, "4": 170}, 0.01, 3, 2),
        ({"1": 100, "2": 140, "4": 170}, 0.2, 16, 2),
        ({"1": 100, "2": 140, "4": 170}, 0.3, 16, 1),
        ({"1": 100, "2": 104, "4": 104}, 0.01, 16, 1),
        ({"1": 100, "2": 103, "4": 120}, 0.01, 16, 4),
        ({"1": 100, "2": 140, "4": 145}, 0.01, 16, 2),
        ({"1": 100, "2": 103, "4": 107}, 0.01, 16, 2),
        ({"1": 100, "2": 140, "4": 170}, 0.6, 16, 1),
        ({"1": 100, "2": 140}, 0.01, 16, 2),
        ({"1": 100}, 0.01, 16, 1),
    ],
)
def test_so_many_share_a_gpu_as_are_fastest_and_fit(
    rates: dict[str, float], memory: float, most: int, best: int
) -> None:
    assert Sharing(rates, memory, 0).best(most) == best


def spec_of(**resources: Any) -> Spec:
    return parse_spec({**TINY, "resources": {"gpus_per_trial": 1, "mps": "auto", "cpus_per_trial": 0.1, **resources}})


def keep(found: Sharing, spec: Spec, cache: Path) -> None:
    file = measurement_file(cache, spec, SIZES, KIND)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(asdict(found)))


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(("workers", "count"), [(None, 4), (2, 2), (1, 1)])
def test_a_run_lets_trials_share(workers: int | None, count: int, tmp_path: Path) -> None:
    spec, told = spec_of(workers=workers), list[str]()
    keep(Sharing({"1": 100, "2": 150, "4": 220.4}, 0.01, 10), spec, tmp_path)
    with shared(spec, lambda: SIZES, tmp_path, told.append) as found:
        assert found.resources.gpus_per_trial == 1 / count
        assert spec.resources.gpus_per_trial == 1
        assert (PIPES in os.environ) == (count > 1)
        if count > 1:
            assert workers_of(found, [{"CPU": 8, "GPU": 2}]) == (workers or 2 * count)
            speed = speed_of_sharing(found, SIZES, tmp_path)
            assert speed is not None
            assert speed.step == pytest.approx(count / {2: 150, 4: 220.4}[count])
    some = [
        f"GPUs: {count} trials share each (resources.mps); images a second by trials at once: 1: 100, 2: 150, 4: 220"
    ]
    assert told == some * (count > 1)
    assert is_known(spec, tmp_path)  # nothing is measured beside what measures this


def test_where_no_process_can_train_under_it_the_daemon_is_ended(
    said: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_measured", lambda asked, file: None)
    spec, told = spec_of(workers=2), list[str]()
    with shared(spec, lambda: SIZES, tmp_path, told.append) as found:
        assert found is spec
        assert said()[-1] == " quit -t 5"
        assert PIPES not in os.environ
    assert told == ["GPUs: each trial has one to itself (resources.mps), as the network could not be tried out on one"]


@pytest.mark.usefixtures("said")
def test_what_one_asked_for_stays(tmp_path: Path) -> None:
    spec, told = spec_of(gpus_per_trial=0.25), list[str]()
    with shared(spec, lambda: pytest.fail("sizes were asked for"), tmp_path, told.append) as found:
        assert found is spec
        assert PIPES in os.environ
    assert not told


@pytest.mark.parametrize("resources", [{"gpus_per_trial": 0}, {"mps": False}])
def test_without_gpus_or_without_being_asked_nothing_is_done(
    resources: dict[str, Any], said: Callable[[], list[str]], tmp_path: Path
) -> None:
    spec = spec_of(**resources)
    with shared(spec, lambda: SIZES, tmp_path, pytest.fail) as found:
        assert found is spec
    assert not said()


def test_a_run_without_the_daemon_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    spec, told = spec_of(), list[str]()
    with shared(spec, lambda: SIZES, tmp_path, told.append) as found:
        assert found is spec
    assert told == [
        "GPUs: kernels of several trials do not run at the same time (resources.mps), as nvidia-cuda-mps-control is not installed"
    ]


def test_on_a_cluster_it_has_no_effect_and_that_is_said(said: Callable[[], list[str]], tmp_path: Path) -> None:
    told = list[str]()
    with sharing_of(Sweep.at(spec_of(), tmp_path), None, "auto", told.append) as found:
        assert found.resources.gpus_per_trial == 1
    assert told == [
        "GPUs: resources.mps has no effect on a cluster, whose nodes start MPS themselves (docs/cluster.md)"
    ]
    assert not said()


def test_processes_train_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU; what a network of one's own prints is no answer."""
    monkeypatch.setattr(sharing, "COUNTS", (1, 2))
    monkeypatch.setattr(sharing, "ROUND_SECONDS", 0.05)
    asked = {
        "image_shape": SIZES.image_shape,
        "classes": 10,
        "model": "tests.sweeps.tiny_network:talking_network",
        "options": {"width": 2},
        "head": None,
        "precision": "float32",
        "batch_size": 8,
        "threads": 1,
        "gpu": False,
        "graphs": False,
    }
    found = sharing._measured(asked, tmp_path / "speeds" / "kept.json")
    assert found is not None
    assert found.rates.keys() == {"1", "2"}
    assert min(found.rates.values()) > 0
    assert found.memory == 0
    assert found.weights > 500
    assert sharing._kept(tmp_path / "speeds" / "kept.json") == found
    monkeypatch.setattr(sharing, "command_of", lambda module: [sys.executable, "-c", "input()"])
    assert sharing._measured(asked, tmp_path / "none.json") is None  # they end, as where a model cannot be built
    assert not (tmp_path / "none.json").exists()


def test_it_is_asked_for_by_auto_alone() -> None:
    with pytest.raises(SpecError, match=r"resources\.mps: must be 'auto' or false, got true"):
        spec_of(mps=True)

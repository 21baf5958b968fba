"""Two Ray nodes on one machine, one of them killed during the run; and the slots that make up for it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweeps.ray_tune.slots import REST_SECONDS, Slots
from sweeps.record import load_sweep
from sweeps.resources import bundle_of, workers_of
from sweeps.storage import open_storage
from tests.sweeps.conftest import TINY, SpecMaker
from tests.sweeps.processes import finish, kill_tree, start, sweeps, wait_until
from tests.sweeps.test_postgres import free_port
from tests.sweeps.test_run import finished

pytestmark = pytest.mark.ray

#: A command line after which a process sees an empty folder in the place of the first argument.
HIDE = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"']


def ray_start(*arguments: str, hidden: Sequence[str] = (), **variables: str) -> subprocess.Popen[str]:
    """`ray start ARGUMENTS --block`: one node, which lives as long as the process."""
    return subprocess.Popen(
        [*hidden, sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, "--num-cpus=1", "--block"],
        env={**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """Address and nodes of a cluster of two nodes with a CPU and a cache of their own, behind a token; the second can be killed.

    The second does not see what lies in the folder `hidden`, where such a thing can be done.
    """
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
    address = f"127.0.0.1:{free_port()}"
    port = address.partition(":")[2]
    caches = [{"UNLEARN_SWEEPS_CACHE": str(tmp_path / name)} for name in ("cache-1", "cache-2")]
    head = ray_start("--head", f"--port={port}", "--include-dashboard=false", **caches[0])
    nodes = [head]
    try:
        wait_until(lambda: reachable(int(port)) or head.poll() is not None, timeout=90)
        assert head.poll() is None, head.communicate()[0]
        (tmp_path / "hidden").mkdir()
        hidden = [*HIDE, str(tmp_path / "hidden")] if can_hide(tmp_path) else []
        nodes.append(ray_start(f"--address={address}", hidden=hidden, **caches[1]))
        yield address, nodes
    finally:
        for node in reversed(nodes):
            if node.returncode is None:
                kill_tree(node)


def can_hide(folder: Path) -> bool:
    return subprocess.run([*HIDE, str(folder), "true"], check=False, capture_output=True).returncode == 0


def reachable(port: int) -> bool:
    import socket  # noqa: PLC0415

    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_a_node_dies_during_the_run(cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path) -> None:
    address, nodes = cluster
    spec: dict[str, Any] = {
        **TINY,
        "unlearning": {"epochs": 12},
        "search": {"confirm": "none", "trials": 6, "sampler": "random", "max_retries": 3},
        "resources": {"workers": 2},
        "cache": f"file://{tmp_path}/shared",
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    process = start(["run", "tiny.yaml", "--ray-address", address], tmp_path, tmp_path / "cache-driver")
    wait_until(lambda: finished(tmp_path) >= 7 or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    time.sleep(1)
    kill_tree(nodes[1])
    code, _, err = finish(process, timeout=240)
    assert code == 0, err
    record = load_sweep(open_storage(f"sqlite:///{tmp_path / 'runs/tiny/study.db'}"), "tiny")
    assert (record.trials["state"] != "RUNNING").all()
    assert record.counted.groupby(["stage", "scenario", "method"]).size().to_dict() == record.planned
    assert set(record.counted["state"]) == {"COMPLETE"}
    assert "Traceback" not in err

    # each node had a cache of its own: every model was trained once, by one of them, and fetched by the other
    references = record.counted[record.counted["stage"] == "reference"]
    shared = {path.stem for path in (tmp_path / "shared/models").iterdir()}
    assert len(shared) == len(references)
    models = [{path.stem for path in (tmp_path / f"cache-{n}/models").glob("*.safetensors")} for n in (1, 2)]
    assert models[0] <= shared
    assert models[0] & models[1]
    assert not (tmp_path / "cache-driver/models").exists()


@pytest.mark.slow
def test_nodes_that_do_not_share_the_cache_are_refused(
    cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    if not can_hide(tmp_path):
        pytest.skip("nothing can be hidden from a process here: it needs unshare and mount")
    here = tmp_path / "hidden"
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "resources": {"workers": 2}}))
    code, _, err = sweeps(["run", "tiny.yaml", "--ray-address", cluster[0]], tmp_path, here)
    assert code == 2, err
    assert f"does not see the driver's cache {here}" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_what_no_node_can_hold_is_refused(
    cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "resources": {"cpus_per_trial": 4096}}))
    code, _, err = sweeps(["search", "tiny.yaml", "--ray-address", cluster[0]], tmp_path, cache)
    assert code == 2, err
    assert "resources: one node must hold a whole trial" in err
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "resources": {"workers": 1, "gpus_per_trial": 64}}))
    code, _, err = sweeps(["search", "tiny.yaml"], tmp_path, cache)
    assert code == 2, err
    assert "must be ≤ the GPUs of this machine" in err


def test_how_many_workers(tiny: SpecMaker) -> None:
    def workers(*nodes: dict[str, float], **resources: Any) -> int:
        return workers_of(tiny(resources=resources), nodes)

    assert workers({"CPU": 4}, {"CPU": 3}) == 7
    assert workers({"CPU": 3}, {"CPU": 3}, cpus_per_trial=2) == 2  # no trial spans two nodes
    assert workers({"CPU": 16, "GPU": 2}, {"CPU": 16}, gpus_per_trial=0.25) == 8
    assert workers({"CPU": 8, "fast": 3}, {"CPU": 8}, custom={"fast": 1}) == 3
    assert workers({"CPU": 64}, workers=5) == 5
    assert bundle_of(tiny(resources={"custom": {"fast": 0.5}})) == {"CPU": 1, "fast": 0.5}


def test_slots_prefer_waiting_workers_and_rest_where_none_can_start() -> None:
    now = 0.0
    slots = Slots(2, clock=lambda: now)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    assert slots.take() is None
    slots.unusable(first)
    slots.finished(second)
    assert slots.idle
    assert slots.take() == second  # the same name: its worker is used again
    assert slots.take() is None
    now = REST_SECONDS
    third = slots.take()
    assert third not in {None, first, second}
    assert third is not None
    slots.died(third)
    assert not slots.idle
    assert slots.take() not in {None, third}

"""How trials and drivers end, with real Ray: states tell the truth, and nothing is left running."""

from __future__ import annotations

import re
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.jobs.cache import Cache
from sweeps.jobs.worker import Worker
from sweeps.plan import make_plan
from sweeps.record import load_sweep
from sweeps.spec import parse_spec
from sweeps.storage import open_storage
from sweeps.studies.multiplexer import Multiplexer
from sweeps.sweep import Sweep
from tests.sweeps.conftest import TINY, serve
from tests.sweeps.processes import alive, count_trials, descendants, finish, named, start, sweeps, wait_until

pytestmark = pytest.mark.ray

BAD = "tests.sweeps.bad_methods"


def write(folder: Path, **changes: object) -> None:
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "sensitivity": {"enabled": False}, **changes}))


def test_dead_hanging_and_raising_trials_fail_with_their_reasons_and_are_run_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lr = {"lr": {"low": 0.01, "high": 0.02}}
    changes: dict[str, Any] = {
        "methods": {f"{BAD}:Hangs": lr, f"{BAD}:Kills": lr, f"{BAD}:Raises": lr, "finetune": {}},
        "search": {"confirm": "none", "trials": 1, "sampler": "random", "max_retries": 1},
        "evaluation": {"seeds": 1},
        "resources": {"workers": 1, "trial_timeout": 25},
        "sensitivity": {"enabled": False},
    }
    write(tmp_path, **changes)
    sweep = Sweep.at(parse_spec({**TINY, **changes}), tmp_path / "runs")
    storage = sweep.prepare()
    sweep.freeze(storage)
    studies = Multiplexer(make_plan(sweep.spec, ("search",)), storage)
    assert (
        len(serve(studies, Worker(sweep.spec, Cache(cache)), limit=2)) == 2
    )  # the references, whatever time they take

    process = start(["run", "tiny.yaml"], tmp_path, cache)
    wait_until(lambda: searching(tmp_path) or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    (private,) = Path("/tmp").glob(f"sweeps-{process.pid}-*")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert list(private.glob("ray/session_*"))
    code, out, err = finish(process)
    assert code == 1, err
    assert not private.exists()
    assert "raylet" not in out + err
    assert "3 trials failed for good; reasons: sweeps status tiny.yaml" in err
    assert "6 trials could not be run: what they need failed" in err
    assert "retry:             sweeps run tiny.yaml --retry-failed" in err
    trials = load_sweep(open_storage(f"sqlite:///{tmp_path / 'runs/tiny/study.db'}"), "tiny").trials
    killed = trials[trials["method"] == f"{BAD}:Kills"]
    assert sorted(killed["state"]) == ["FAIL"] * 2
    assert sorted(killed[~killed["requeued"]]["fail_reason"]) == ["the worker died (attempt 2 of 2)"]
    assert killed[killed["requeued"]]["hp.lr"].tolist() == killed[~killed["requeued"]]["hp.lr"].tolist()
    raised = trials[(trials["method"] == f"{BAD}:Raises") & (trials["state"] == "FAIL")]
    assert len(raised) == 1
    for reason in raised["fail_reason"]:
        assert reason.startswith("Traceback")
        assert 'raise ArithmeticError("a bug in the method")' in reason
    (hung,) = trials[trials["method"] == f"{BAD}:Hangs"].to_dict("records")
    assert (hung["state"], hung["outcome"], hung["requeued"]) == ("FAIL", "error", False)
    assert hung["fail_reason"] == "timed out after 25 s (resources.trial_timeout)"
    others = trials[trials["method"] == "finetune"]
    assert (others["state"] == "COMPLETE").all()

    shown = CliRunner().invoke(app, ["status", "tiny.yaml"])
    assert shown.exit_code == 1
    assert shown.stdout.count(": the worker died (attempt 2 of 2)") == 1
    assert shown.stdout.count(": ArithmeticError: a bug in the method") == 1
    assert 'raise ArithmeticError("a bug in the method")' not in shown.stdout
    assert "once their cause is fixed: sweeps run tiny.yaml --retry-failed" in shown.stdout
    assert 'raise ArithmeticError("a bug in the method")' in CliRunner().invoke(app, ["status", "tiny", "-v"]).stdout

    monkeypatch.setenv("FIXED", "1")
    retry = [
        "run",
        "tiny",
        "--retry-failed",
        "--set",
        "resources.trial_timeout=26",
    ]  # as it was run before, but for that
    code, _, err = sweeps(retry, tmp_path, cache)
    assert code == 0, err
    assert "all 16 trials are done" in err


@pytest.mark.slow
def test_a_worker_out_of_memory_says_so(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(facts[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    monkeypatch.setenv(
        "RAY_memory_usage_threshold", str((total - free + 2**21) / total)
    )  # 2 GiB more than is in use now
    lr = {"lr": {"low": 0.01, "high": 0.02}}
    search = {"confirm": "none", "trials": 1, "sampler": "random", "max_retries": 1}
    write(tmp_path, methods={f"{BAD}:Hoards": lr}, search=search, resources={"workers": 1})
    code, out, err = sweeps(["search", "tiny.yaml"], tmp_path, cache)
    assert code == 1, err
    assert "running low on memory" not in out + err  # Ray's own page about it
    _, out, _ = sweeps(["status", "tiny.yaml"], tmp_path, cache)
    assert "the worker died: its node ran out of memory" in out
    assert "(attempt 2 of 2)" in out


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_ends_cleanly(
    tmp_path: Path, cache: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, methods={f"{BAD}:Sleeps": {"lr": {"low": 0.01, "high": 0.02}}}, resources={"workers": 1})
    process = start(["run", "tiny.yaml"], tmp_path, cache)
    wait_until(lambda: searching(tmp_path) or process.poll() is not None)
    below = descendants(process.pid)
    assert len(below) > 2
    unused = re.compile(r"dashboard\.py|monitor\.py")
    assert not [name for name in named(process).values() if unused.search(name)]
    process.send_signal(number)
    process.send_signal(number)  # an impatient user
    code, _, err = finish(process, timeout=900)
    assert code == 130, err
    assert f"stopped by {number.name}" in err
    assert "Resume with:\n  sweeps run tiny.yaml" in err
    assert "Traceback" not in err
    wait_until(lambda: not any(map(alive, below)), timeout=120)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["status", "tiny.yaml"])
    assert shown.exit_code == 0
    assert "not running; " in shown.stdout
    assert shown.stdout.count("running") == 1  # what was in progress is not counted as such


def searching(folder: Path) -> bool:
    """Whether a search trial is in progress."""
    return count_trials(folder, "state = 'RUNNING' and study_name like 'tiny/search/%'") > 0

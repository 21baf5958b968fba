"""TensorBoard and MLflow beside a real sweep: they show what the storage holds, and their failures are not the sweep's."""

from __future__ import annotations

import importlib.util
import re
import signal
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.errors import SpecError, SweepError
from sweeps.folder import SweepFolder
from sweeps.ray_tune.mlflow import MLflow
from sweeps.record import SweepRecord, load_sweep
from sweeps.storage import open_storage
from sweeps.studies.retries import INTERRUPTED
from sweeps.sweep import Sweep, run_sweep
from tests.sweeps.conftest import TINY, SpecMaker
from tests.sweeps.processes import finish, start, sweeps, wait_until

pytestmark = pytest.mark.ray

BAD = "tests.sweeps.bad_methods"
BOTH = {"tensorboard": True, "mlflow": "sqlite:///mlflow.db"}
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None or importlib.util.find_spec("tensorboardX") is None,
    reason="mlflow-skinny and tensorboardX are not installed: pip install 'unlearn-sweeps[mlflow,tensorboard]'",
)

Numbers = dict[tuple[str, int], float]


def write(folder: Path, **changes: Any) -> None:
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "sensitivity": {"enabled": False}, **changes}))


def record(folder: Path) -> SweepRecord:
    return load_sweep(open_storage(f"sqlite:///{folder / 'runs/tiny/study.db'}"), "tiny")


def rows(database: Path, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(query, values).fetchall()


def ended(folder: Path) -> int:
    """Runs that MLflow has seen the end of."""
    try:
        found = rows(folder / "mlflow.db", "select count(*) from runs where status != 'RUNNING'")
    except sqlite3.OperationalError:
        return 0
    return int(found[0][0])


def events(folder: Path) -> Iterator[Any]:
    """The events of one TensorBoard run: each record is a length, its checksum, a message, its checksum."""
    from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415  # not everyone has it

    (path,) = folder.iterdir()
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


def tensorboard(folder: Path) -> tuple[Numbers, dict[str, Any], str]:
    """Scalars, hyperparameters and final state of one TensorBoard run."""
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData  # noqa: PLC0415

    numbers, hyperparameters, state = {}, {}, ""
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                numbers[value.tag, event.step] = value.simple_value
            elif value.tag == "_hparams_/session_start_info":
                shown = HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info.hparams
                hyperparameters = {name: getattr(v, v.WhichOneof("kind")) for name, v in shown.items()}
            elif value.tag.startswith("state"):
                state = value.tensor.string_val[0].decode()
    return numbers, hyperparameters, state


def mlflow(database: Path, name: str) -> tuple[str, Numbers, dict[str, str], dict[str, str]]:
    """Status, metrics, parameters and tags of the one MLflow run of a name."""
    ((run, status),) = rows(database, "select run_uuid, status from runs where name = ?", name)
    metrics = rows(database, "select key, step, value from metrics where run_uuid = ?", run)
    params, tags = (
        dict(rows(database, f"select key, value from {t} where run_uuid = ?", run)) for t in ("params", "tags")
    )
    assert len({(key, step) for key, step, _ in metrics}) == len(metrics)
    return status, {(key, step): value for key, step, value in metrics}, params, tags


def stored(trial: pd.Series[Any], curves: pd.DataFrame) -> Numbers:
    """What the storage has of a trial, as it should be logged."""
    of_trial = curves[(curves["study"] == trial["study"]) & (curves["number"] == trial["number"])]
    metrics = of_trial.drop(columns=["study", "stage", "scenario", "method", "number", "epoch"])
    numbers = {
        (name, int(epoch)): row[name]
        for epoch, (_, row) in zip(of_trial["epoch"], metrics.iterrows(), strict=True)
        for name in metrics
    }
    best = 0 if pd.isna(trial["epoch"]) else int(trial["epoch"])
    final = {name: trial[name] for name in ("value", "seconds")}
    final |= {
        name.replace(".", "/"): value
        for name, value in trial.items()
        if str(name).startswith(("metric.", "hindsight."))
    }
    numbers |= {(name, best): value for name, value in final.items()}
    return {key: float(value) for key, value in numbers.items() if pd.notna(value)}


@needs_mlflow
@pytest.mark.slow
def test_both_show_what_the_storage_holds_and_harm_nothing_when_they_fail(tmp_path: Path, cache: Path) -> None:
    lr = {"lr": {"low": 0.001, "high": 0.02}}
    write(
        tmp_path,
        logging=BOTH,
        unlearning={"epochs": 4},
        metrics={"best_epoch": ["mia_confidence"]},
        methods={"finetune": {}, f"{BAD}:Raises": lr, f"{BAD}:Sleeps": lr},
        search={"confirm": "none", "trials": 8, "sampler": "random", "pruner": "successive_halving"},
        resources={"workers": 3},
    )
    process = start(["search", "tiny.yaml"], tmp_path, cache)
    # two references, and the searches of the two methods that come to an end
    wait_until(lambda: ended(tmp_path) >= 18 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130, err
    assert "could not be logged" not in err
    assert "INFO mlflow" not in out + err

    found, database = record(tmp_path), tmp_path / "mlflow.db"
    assert set(found.trials["state"]) == {"COMPLETE", "PRUNED", "FAIL", "RUNNING"}
    assert [name for (name,) in rows(database, "select name from experiments where name != 'Default'")] == ["tiny"]
    for _, trial in found.trials[found.trials["state"] != "RUNNING"].iterrows():
        expected = stored(trial, found.curves)
        numbers, shown, state = tensorboard(
            tmp_path / "runs/tiny/tensorboard" / trial["study"][5:] / str(trial["number"])
        )
        assert numbers == {key: np.float32(value) for key, value in expected.items()}
        status, metrics, params, tags = mlflow(database, f"{trial['study']}/{trial['number']}")
        assert metrics == expected
        assert status == {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}[trial["state"]]
        where = {name: trial[name] for name in ("stage", "scenario", "method", "state")}
        assert where.items() <= tags.items()
        assert where.items() <= shown.items()
        for name in ("hp.lr", "forget_size", "forget_seed", "seed"):
            if pd.notna(trial[name]):
                assert float(params[name.removeprefix("hp.")]) == shown[name.removeprefix("hp.")] == trial[name]
        assert ("ArithmeticError: a bug" in tags.get("fail_reason", "")) == (trial["state"] == "FAIL")
        assert state.startswith(trial["state"])
    cut_off = [mlflow(database, name) for (name,) in rows(database, "select name from runs where name like '%Sleeps%'")]
    assert cut_off
    for status, _, _, tags in cut_off:
        assert (status, tags["state"], tags["fail_reason"]) == ("KILLED", "FAIL", INTERRUPTED)

    # both give out; the same command, for what is left, does not
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create trigger gone before insert on runs begin select raise(fail, 'no room'); end")
    (tmp_path / "runs/tiny/tensorboard/evaluation").write_text("in the way")
    code, _, err = sweeps(["evaluate", "tiny.yaml"], tmp_path, cache)
    assert "8 trials could not be run: what they need failed" in err  # the winners that there are not
    assert code == 1
    assert err.count("MLflow: a trial could not be logged") == 1
    assert "no room" in err
    assert err.count("TensorBoard: a trial could not be logged") == 1
    after = record(tmp_path)
    new = len(after.trials) - len(found.trials)  # four evaluations and the oracles that they need
    assert new > 4
    for name, least in (("MLflow", new), ("TensorBoard", 4)):  # which shows an oracle that ended before it gave out
        told = re.search(rf"{name} shows (\d+) of this run's (\d+) trials not at all or in part: ", err)
        assert told, err
        assert least <= int(told[1]) <= int(told[2]) == new
    evaluated = after.trials.query("stage == 'evaluation' and method == 'finetune'")
    assert evaluated["state"].tolist() == ["COMPLETE"] * 4


@needs_mlflow
def test_a_server_that_is_not_there_is_said_before_any_trial(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, logging={"mlflow": "http://127.0.0.1:9"}, methods={"finetune": {}})
    done = CliRunner().invoke(app, ["search", "tiny.yaml"])
    err = done.stderr
    assert done.exit_code == 2
    assert "logging.mlflow must be a tracking URI that works, got 'http://127.0.0.1:9': " in err
    assert "--set logging.mlflow=null" in err
    assert "Traceback" not in err
    assert record(tmp_path).trials.empty


@needs_mlflow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # MLflow's, of folders
def test_an_experiment_that_was_deleted_is_said_before_any_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow finds it by its name, and takes no run for it. In a folder, as a database takes MLflow eight seconds to make."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    made = MLflow(str(tmp_path), "tiny")
    made._client.delete_experiment(made._experiment)
    with pytest.raises(SweepError, match=r"its experiment 'tiny' was deleted\n  remedy: restore it"):
        MLflow(str(tmp_path), "tiny")


def test_a_missing_package_is_said_before_anything(
    tmp_path: Path, cache: Path, tiny: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("mlflow", "tensorboardX"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SpecError) as caught:
        run_sweep(Sweep.at(tiny(logging=BOTH), tmp_path / "runs"), ["search"])
    assert str(caught.value).splitlines() == [
        "tiny: 2 errors",
        "  logging.tensorboard: needs the package tensorboardX — pip install 'unlearn-sweeps[tensorboard]'",
        "  logging.mlflow: needs the package mlflow — pip install 'unlearn-sweeps[mlflow]'",
    ]
    assert not (tmp_path / "runs").exists()


def test_off_by_default_and_free_to_change(tiny: SpecMaker, tmp_path: Path, url: str) -> None:
    assert tiny().logging.model_dump() == {"tensorboard": False, "mlflow": None}
    storage = open_storage(url)
    Sweep(tiny(), SweepFolder(tmp_path), url).freeze(storage)
    Sweep(tiny(logging=BOTH), SweepFolder(tmp_path), url).freeze(storage)
    assert load_sweep(storage, "tiny").spec["logging"] == BOTH

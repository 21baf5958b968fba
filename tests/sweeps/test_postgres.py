"""A sweep in PostgreSQL (a real server, from Debian's package) and in a journal file: killed, resumed, its password nowhere."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from typer.testing import CliRunner

from sweeps.cli.app import app
from sweeps.errors import SweepError
from sweeps.record import load_sweep
from sweeps.storage import open_storage, storage_errors
from sweeps.storage.bulk import TrialWriter
from tests.sweeps.conftest import TINY
from tests.sweeps.processes import alive, descendants, in_turn, start, sweeps, wait_until, workers
from tests.sweeps.test_bulk import whole_at_once, whole_publicly, written
from tests.sweeps.test_snapshot import check_same
from tests.sweeps.test_snapshot import written as studies_of_all_kinds

pytestmark = pytest.mark.ray

PASSWORD = "geheim-9x"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a server that lives as long as the tests of this file."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    binaries = found[-1].parent
    root = os.geteuid() == 0
    if root and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="sweeps-postgres-"))
    (folder / "password").write_text(PASSWORD)
    if root:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")

    def run(name: str, *arguments: str) -> None:
        prefix = ["runuser", "-u", "postgres", "--"] if root else []
        command = [*prefix, str(binaries / name), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)

    data, port = folder / "data", free_port()
    run("initdb", "-D", str(data), "-U", "sweeps", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "-N")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://sweeps:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["postgresql", pytest.param("journal", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "journal":
        return f"journal:{tmp_path / 'log'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def storage(where: str) -> Iterator[BaseStorage]:
    """The storage as a reader sees it; its connections are closed at the end."""
    storage = open_storage(where)
    yield storage
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def begun(storage: BaseStorage) -> bool:
    """Whether a first reference is trained."""
    names = [name for name in optuna.get_all_study_names(storage) if "/reference/" in name]
    return any(storage.get_n_trials(storage.get_study_id_from_name(name), TrialState.COMPLETE) for name in names)


def test_a_sweep_runs_and_resumes(
    where: str, storage: BaseStorage, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLEARN_SWEEPS_STORAGE", where)
    spec = {
        **TINY,
        "methods": {"finetune": {}},
        "search": {**TINY["search"], "trials": 2},
        "evaluation": {"seeds": 1},
        "sensitivity": {"enabled": False},
        "resources": {"workers": 1},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    run = ["run", "tiny.yaml", "--storage", where]
    process = start(run, tmp_path, cache)
    wait_until(lambda: begun(storage) or process.poll() is not None)
    told = [(Path("/proc") / str(pid) / "environ").read_bytes() for pid in workers(process)]
    assert told
    assert where not in str(told)
    below = descendants(process.pid)
    process.kill()  # the driver alone: what it had started ends by itself
    process.communicate()
    code, out, err = sweeps(run, tmp_path, cache)
    assert code == 0, err
    wait_until(lambda: not any(map(alive, below)), timeout=120)
    assert PASSWORD not in out + err
    assert all(word in err for word in ("resume or extend:  sweeps run tiny.yaml", "trials are done"))
    record = load_sweep(storage, "tiny")
    if isinstance(storage, RDBStorage):
        check_same(storage, "tiny")
    assert (record.trials["state"] != "RUNNING").all()
    assert record.counted.groupby(["stage", "scenario", "method"]).size().to_dict() == record.planned
    looks = [["status", *run[1:]], ["report", *run[1:]], [*run, "--dry-run"]]
    code, out, err = in_turn(looks, tmp_path, cache)
    assert code == 0, err
    assert "all is done" in out
    assert PASSWORD not in out + err
    for path in (tmp_path / "runs").rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    assert PASSWORD not in str([study.user_attrs for study in studies])


@pytest.mark.parametrize("name", ["own", "own-too"])
def test_a_sweep_read_at_once_is_what_optuna_reads(postgres: str, name: str) -> None:
    storage = open_storage(postgres)
    assert isinstance(storage, RDBStorage)
    try:
        for study in optuna.get_all_study_names(storage):
            if study.lower().startswith("own"):
                optuna.delete_study(study_name=study, storage=storage)
        check_same(studies_of_all_kinds(storage), name)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_trials_written_at_once_are_read_as_optuna_writes_them(postgres: str, tmp_path: Path) -> None:
    storage, plain = open_storage(postgres), open_storage(f"sqlite:///{tmp_path}/study.db")
    assert isinstance(storage, RDBStorage)
    writer = TrialWriter(storage)
    try:
        assert writer._tables is not None
        ours = [trial for study in written(storage, whole_at_once(writer)) for trial in study.trials]
    finally:
        storage.remove_session()
        storage.engine.dispose()
    theirs = [trial for study in written(plain, whole_publicly(plain)) for trial in study.trials]
    assert list(map(facts, ours)) == list(map(facts, theirs))
    assert len(ours) == 4


def facts(trial: FrozenTrial) -> list[str]:
    """All of a trial but its times, NaN equal to itself."""
    of = [trial.params, trial.distributions, trial.user_attrs, trial.intermediate_values]
    return [f"{trial.number} {trial.state} {trial.values}", *(str(sorted(part.items())) for part in of)]


def test_a_wrong_password_is_a_clear_error(postgres: str, cache: Path) -> None:
    refused = CliRunner().invoke(app, ["status", "digits", "--storage", postgres.replace("geheim", "wrong")])
    assert refused.exit_code == 2
    assert "storage must be a readable database URL" in refused.stderr
    assert "-9x" not in refused.output
    assert "Traceback" not in refused.output


def test_what_its_user_may_not_do_is_said(postgres: str, cache: Path) -> None:
    """Optuna says of it that a text may be too long."""
    storage = open_storage(postgres)
    assert isinstance(storage, RDBStorage)
    with storage.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    reader = open_storage(postgres.replace("sweeps:", "reader:"))
    assert isinstance(reader, RDBStorage)
    try:
        with (
            pytest.raises(SweepError, match=r"permission denied for table studies\n.*let its user write"),
            storage_errors(),
        ):
            optuna.create_study(study_name="x", storage=reader)
    finally:
        for opened in (reader, storage):
            opened.remove_session()
            opened.engine.dispose()


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SweepError, match=r"pip install 'unlearn-sweeps\[postgres\]'") as caught:
        open_storage("postgresql://me:secret@localhost/x")
    assert "secret" not in str(caught.value)

"""Storages and the lease on them."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
from pathlib import Path

import optuna
import pytest

from sweeps.errors import SweepError
from sweeps.secrets import mask
from sweeps.storage import open_storage
from sweeps.storage.lease import KEY, Lease, holder


def test_sqlite_is_opened_in_write_ahead_mode_and_plain_optuna_reads_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'study.db'}"
    optuna.create_study(study_name="a/b", storage=open_storage(url))
    assert optuna.load_study(study_name="a/b", storage=url).study_name == "a/b"
    with sqlite3.connect(tmp_path / "deep" / "study.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_journal_file_by_option(tmp_path: Path) -> None:
    optuna.create_study(study_name="x", storage=open_storage(f"journal:{tmp_path / 'log'}"))
    assert optuna.get_all_study_names(open_storage(f"journal:{tmp_path / 'log'}")) == ["x"]


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/none/study.db", "mysql+absent://u:pw@h/d"])
def test_an_unreadable_url_is_a_clear_error(url: str) -> None:
    with pytest.raises(SweepError, match=r"storage must be a readable database URL(.|\n)*remedy: ") as caught:
        open_storage(url)
    assert "pw" not in str(caught.value)


def test_passwords_are_masked() -> None:
    assert mask("postgresql+psycopg://me:se:cret@host:5432/db") == "postgresql+psycopg://me:***@host:5432/db"
    assert mask("sqlite:///runs/a.db") == "sqlite:///runs/a.db"


def write_lease(storage: optuna.storages.BaseStorage, **changes: object) -> None:
    study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True)
    facts = {"id": "other", "host": platform.node(), "pid": os.getpid(), "time": time.time()}
    study.set_user_attr(KEY, {**facts, **changes})


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lease_keeps_a_second_driver_out_and_is_given_back(storage: optuna.storages.BaseStorage) -> None:
    with Lease(storage, "s"):
        attrs = optuna.load_study(study_name="s", storage=storage).user_attrs
        held = holder(attrs)
        assert held is not None
        assert held["pid"] == os.getpid()
        with pytest.raises(SweepError, match=f"is being run by process {os.getpid()}"), Lease(storage, "s"):
            pass
    with Lease(storage, "s"):
        pass


@pytest.mark.parametrize("changes", [{"time": time.time() - 91}, {"pid": dead_pid()}])
def test_a_stale_lease_is_taken_over(storage: optuna.storages.BaseStorage, changes: dict[str, object]) -> None:
    write_lease(storage, **changes)
    with Lease(storage, "s"):
        pass


def test_a_fresh_lease_of_another_host_is_respected(storage: optuna.storages.BaseStorage) -> None:
    write_lease(storage, host="elsewhere", pid=dead_pid())
    with pytest.raises(SweepError, match="on elsewhere"), Lease(storage, "s"):
        pass

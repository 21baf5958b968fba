"""Storages and the lease on them."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import pytest

from sweeps.errors import SpecError, SweepError
from sweeps.secrets import mask
from sweeps.signals import interruptible
from sweeps.spec import parse_spec
from sweeps.storage import lease, open_storage
from sweeps.storage.lease import KEY, Lease, holder
from sweeps.storage.urls import local_file, wrong_url
from tests.sweeps.conftest import TINY


def test_sqlite_is_opened_in_write_ahead_mode_and_plain_optuna_reads_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'study.db'}"
    optuna.create_study(study_name="a/b", storage=open_storage(url))
    assert optuna.load_study(study_name="a/b", storage=url).study_name == "a/b"
    with sqlite3.connect(tmp_path / "deep" / "study.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder stands for a file that may not be read, as root may read all."""
    (tmp_path / "study.db").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SweepError, match="storage must be a readable database URL"):
        open_storage(f"sqlite:///{tmp_path / 'study.db'}", to_read=True)
    assert not any((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("content", [b"no database at all, but a text", b"SQLite format 3\0" + b"\1" * 2000])
def test_a_damaged_file_is_to_be_restored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(
        SweepError, match=r"(not a database|malformed)\n  remedy: restore the file from a copy, or move it away"
    ):
        open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    assert (tmp_path / "study.db").read_bytes() == content


def test_tables_of_another_optuna_are_refused_whatever_was_opened_before(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for _ in range(3):
        open_storage(url)
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    database.close()
    for _ in range(2):
        with pytest.raises(
            SweepError, match=r"no longer compatible with the table schema.*\n  remedy: copy the storage"
        ):
            open_storage(url)


OPENS = """
import sys
from sweeps.storage import open_storage
for number in range(8):
    print("ready", flush=True)
    sys.stdin.readline()
    open_storage(f"sqlite:///{sys.argv[1]}/{number}.db", to_read=sys.argv[2] == "watch")
"""


def test_one_that_is_being_made_may_be_opened_by_another(tmp_path: Path) -> None:
    """As by `sweeps status --watch` beside a run that begins."""
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen([sys.executable, "-c", OPENS, tmp_path, what], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for what in ("run", "watch")
    ]
    while all(line == "ready\n" for line in (process.stdout.readline() for process in both if process.stdout)):
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
    told = [process.communicate()[1] for process in both]
    assert told == ["", ""]
    for number in range(8):
        assert optuna.get_all_study_names(f"sqlite:///{tmp_path}/{number}.db") == []


def test_a_journal_file_by_option(tmp_path: Path) -> None:
    optuna.create_study(study_name="x", storage=open_storage(f"journal:{tmp_path / 'log'}"))
    assert optuna.get_all_study_names(open_storage(f"journal:{tmp_path / 'log'}")) == ["x"]


@pytest.mark.parametrize("url", ["sqlite:////proc/none/study.db", "mysql+absent://u:pw@h/d"])
def test_an_unreadable_url_is_a_clear_error(url: str) -> None:
    with pytest.raises(SweepError, match=r"storage must be a readable database URL(.|\n)*remedy: ") as caught:
        open_storage(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("journal://j.log", "journal:j.log, or journal:/data/j.log"),
        ("journal:////j.log", None),
        ("journal:///tmp/j.log", None),
        ("journal:j.log", None),
        ("journal:../j.log", None),
        ("journal:/tmp/j.log", None),
        ("journal:", "journal:study.log"),
        ("journal://", "journal:study.log"),
        ("journal:///", "journal:study.log"),
        ("JOURNAL:j.log", "journal:j.log"),
        ("j.log", "journal:j.log"),
        ("nonsense", "journal:nonsense"),
        ("", "sqlite:///study.db"),
        ("sqlite://", "sqlite:////data/study.db"),
        ("sqlite:///", "sqlite:////data/study.db"),
        ("sqlite:///:memory:", "sqlite:////data/study.db"),
        ("sqlite:///?mode=memory", "sqlite:////data/study.db"),
        ("sqlite://study.db", "sqlite:////data/study.db"),
        ("sqlite:study.db", "sqlite:////data/study.db"),
        ("SQLite:///study.db", "sqlite:////data/study.db"),
        ("sqlite:///study.db", None),
        ("sqlite:////data/study.db", None),
        ("postgresql://me@host/db", None),
    ],
)
def test_a_url_that_could_be_read_as_another_place_is_refused(url: str, remedy: str | None) -> None:
    problem = wrong_url(url)
    assert (problem is None) == (remedy is None)
    if problem is not None:
        assert remedy in str(problem)
        assert url in str(problem)
        with pytest.raises(SweepError, match="storage: must be "):
            open_storage(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [("journal:a/j", "a/j"), ("journal:/a/j", "/a/j"), ("journal:///a/j", "/a/j"), ("journal:./j", "./j")],
)
def test_the_path_of_a_journal(url: str, path: str) -> None:
    assert local_file(url) == Path(path)


def test_a_url_in_the_sweep_file_is_validated() -> None:
    with pytest.raises(SpecError, match=r"storage: must be journal:PATH, got 'journal://j.log'"):
        parse_spec({**TINY, "storage": "journal://j.log"})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql+psycopg://me:se:cret@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://me:my se/cret@host/db", "postgresql://me:***@host/db"),
        ("--storage=postgresql://me:my secret@host/db", "--storage=postgresql://me:***@host/db"),
        ("postgresql://me@corp:secret@host/db", "postgresql://me@corp:***@host/db"),
        ("postgresql://me:se@cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=my secret", "postgresql://host/db?user=me&password=***"),
        ("mysql+pymysql://me@host/db?passwd=secret&x=1", "mysql+pymysql://me@host/db?passwd=***&x=1"),
        ("got postgresql://me@corp:secret@host/db: ask me@corp", "got postgresql://me@corp:***@host/db: ask me@corp"),
        ("sqlite:///runs/a.db", None),
        ("a server at http://127.0.0.1:5000: ask me@corp", None),
        ("postgresql://me@host/db?sslkey=/me.key", None),
    ],
)
def test_passwords_are_masked(text: str, masked: str | None) -> None:
    assert mask(text) == (masked or text)
    assert mask(mask(text)) == mask(text)
    if masked and " ask " not in text and not text.startswith("--"):
        assert "cret" not in str(wrong_url(text))


def test_an_at_sign_that_would_be_read_as_the_host_is_refused() -> None:
    """SQLAlchemy would look for a host `cret@db.org`, and say so."""
    with pytest.raises(SweepError, match=r"written %40, got 'postgresql://me:\*\*\*@db.org/x'"):
        open_storage("postgresql://me:se@cret@db.org/x")
    assert wrong_url("postgresql://me@corp:se%40cret@db.org/x?options=a@b") is None


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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is watched for a second instead of 90."""
    monkeypatch.setattr(lease, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.05)


ELSEWHERE = {"host": "elsewhere", "machine": "another boot", "started": "5"}


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": dead_pid()},
        {"pid": dead_pid(), "time": time.time() + 86_400},
        {"pid": dead_pid(), "time": 0.0},
        {"started": "1"},  # another process has its number now
    ],
    ids=["now", "tomorrow", "1970", "number reused"],
)
def test_the_lease_of_a_dead_process_of_this_machine_is_taken_over_at_once(
    storage: optuna.storages.BaseStorage, changes: dict[str, object]
) -> None:
    write_lease(storage, **changes)
    assert holder(optuna.load_study(study_name="s", storage=storage).user_attrs) is None
    with Lease(storage, "s", on_wait=pytest.fail):
        pass


@pytest.mark.parametrize(
    ("change", "told"), [("moved", "was moved or deleted"), ("taken", "was taken over by another")]
)
def test_a_driver_that_writes_in_vain_stops_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, told: str
) -> None:
    """What is written into a file that has gone from its folder nobody finds again."""
    monkeypatch.setattr(lease, "REFRESH_SECONDS", 0.05)
    file = tmp_path / "study.db"
    storage = open_storage(f"sqlite:///{file}")

    def write_in_vain() -> None:
        if change == "moved":
            file.rename(tmp_path / "elsewhere.db")
        else:
            write_lease(storage)
        time.sleep(10)
        pytest.fail("it was not stopped")

    with pytest.raises(SweepError, match=told), interruptible(), Lease(storage, "s", file):
        write_in_vain()


def test_what_fails_once_another_driver_has_taken_over_is_told_as_that(storage: optuna.storages.BaseStorage) -> None:
    """It has ended this one's trials, say, before this one has looked whose the lease is."""

    def tell_a_trial() -> None:
        write_lease(storage)
        raise RuntimeError("Trial#3 has already finished and can not be updated.")

    with pytest.raises(SweepError, match="was taken over by another"), Lease(storage, "s"):
        tell_a_trial()


@pytest.mark.usefixtures("quick")
def test_of_two_drivers_that_begin_at_the_same_moment_one_stops_at_once(storage: optuna.storages.BaseStorage) -> None:
    def go_on() -> None:
        """The other one writes on: a beat that is written as it takes the lease would take that back."""
        for _ in range(200):
            write_lease(storage)
            time.sleep(0.05)

    with pytest.raises(SweepError, match="was taken over by another"), interruptible(), Lease(storage, "s"):
        go_on()


def test_a_journal_that_gets_another_inode_is_the_same_while_it_begins_alike(tmp_path: Path) -> None:
    """As on some network file systems; every record is appended to what then lies there."""
    file = tmp_path / "study.log"
    storage = open_storage(f"journal:{file}")
    with Lease(storage, "s", file):
        (tmp_path / "copy").write_bytes(file.read_bytes())
        (tmp_path / "copy").replace(file)

    def write_on() -> None:
        file.rename(tmp_path / "elsewhere.log")
        optuna.create_study(study_name="t", storage=storage)
        assert file.exists()

    with pytest.raises(SweepError, match="was moved or deleted"), Lease(storage, "s", file):
        write_on()


def test_a_storage_that_is_away_in_the_end_is_told(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    storage = open_storage(f"sqlite:///{file}")
    with pytest.raises(SweepError, match="was moved or deleted"), Lease(storage, "s", file):
        file.unlink()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ahead", [-91.0, -86_400.0, 60.0, 86_400.0, 1e9])
def test_a_lease_that_stands_still_is_taken_over_whatever_the_clocks_say(
    storage: optuna.storages.BaseStorage, ahead: float
) -> None:
    write_lease(storage, **ELSEWHERE, time=time.time() + ahead)
    heard: list[str] = []
    with Lease(storage, "s", on_wait=heard.append):
        assert holder(optuna.load_study(study_name="s", storage=storage).user_attrs)["pid"] == os.getpid()  # type: ignore[index]
    assert "is held by process" in heard[0]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ahead", [-91.0, -86_400.0, 86_400.0])
@pytest.mark.parametrize("beats", [True, False], ids=["beats", "as of old"])
def test_a_lease_that_is_refreshed_is_respected_whatever_the_clocks_say(
    storage: optuna.storages.BaseStorage, monkeypatch: pytest.MonkeyPatch, ahead: float, beats: bool
) -> None:
    """The other driver refreshes while it is watched; its clock is off by `ahead`, or it is the watcher's."""
    facts = {**ELSEWHERE, "time": time.time() + ahead}
    write_lease(storage, **facts, **({"beats": 1} if beats else {}))
    looks = iter(range(2, 100))

    def sleep(seconds: float) -> None:
        count = next(looks)
        if count == 3:
            write_lease(storage, **facts | ({"beats": 2} if beats else {"time": facts["time"] + 30}))

    monkeypatch.setattr(lease.time, "sleep", sleep)
    with pytest.raises(SweepError, match="on elsewhere"), Lease(storage, "s", on_wait=lambda _: None):
        pass


@pytest.mark.parametrize("ahead", [-91.0, -86_400.0, 86_400.0])
def test_a_live_process_of_this_machine_keeps_its_lease_whatever_the_clock_says(
    storage: optuna.storages.BaseStorage, ahead: float
) -> None:
    with Lease(storage, "s"):
        study = optuna.load_study(study_name="s", storage=storage)
        study.set_user_attr(KEY, {**study.user_attrs[KEY], "time": time.time() + ahead})
        assert holder(study.user_attrs) is not None
        with pytest.raises(SweepError, match="is being run by"), Lease(storage, "s", on_wait=pytest.fail):
            pass


def test_a_process_number_of_another_container_means_nothing_here(storage: optuna.storages.BaseStorage) -> None:
    write_lease(storage, machine="another boot", pid=dead_pid())
    with pytest.raises(SweepError, match="is being run by"), Lease(storage, "s"):
        pass


def test_a_fresh_lease_of_another_host_is_respected(storage: optuna.storages.BaseStorage) -> None:
    write_lease(storage, host="elsewhere", pid=dead_pid())
    with pytest.raises(SweepError, match="on elsewhere"), Lease(storage, "s"):
        pass

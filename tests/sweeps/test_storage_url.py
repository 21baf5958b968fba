"""Paths in storage URLs, and which storage is a sweep's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.errors import SweepError
from sweeps.folder import STORAGE_VARIABLE, SweepFolder
from sweeps.storage import open_storage
from sweeps.storage.urls import local_file, sqlite_url, storage_exists

ODD = [
    "what?",
    "a%2Fb",
    "100%",
    "r{user}",
    "{",
    "h#x",
    "with space",
    "ü€",
    "x:y@z",
    "a&b=c",
    "?mode=ro",
    "'quoted'",
    "a:b",
]


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name_holds_its_own_storage(tmp_path: Path, name: str) -> None:
    folder = SweepFolder(tmp_path / name / "sweep")
    optuna.create_study(study_name="s", storage=open_storage(folder.own_storage))
    assert folder.database.is_file()
    assert optuna.get_all_study_names(open_storage(folder.own_storage, to_read=True)) == ["s"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(lambda s: s not in {".", ".."})
)
def test_the_url_of_a_file_names_that_file(name: str) -> None:
    assert local_file(sqlite_url(Path("/runs") / name / "study.db")) == Path("/runs") / name / "study.db"


@pytest.mark.parametrize("url", ["journal://j.log", "sqlite:///:memory:", "sqlite:///a.db?timeout=5", "SQLITE:///a.db"])
def test_a_url_that_names_no_file_makes_none(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SweepError, match=r"storage: must be (journal|sqlite)"):
        open_storage(url)
    assert not list(tmp_path.iterdir())


def test_a_home_is_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_file("sqlite:///~/s.db") == tmp_path / "s.db"
    assert local_file("journal:~/j.log") == tmp_path / "j.log"
    assert local_file("postgresql://me@host/db") is None


def test_one_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SweepFolder(tmp_path)
    declared, variable, given = ("postgresql://host/declared", "postgresql://host/variable", "postgresql://host/given")
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)
    assert folder.storage(None, None) == folder.own_storage
    assert folder.storage(None, declared) == declared
    monkeypatch.setenv(STORAGE_VARIABLE, variable)
    assert folder.storage(None, declared) == variable
    assert folder.storage(given, declared) == given


def test_a_url_without_its_password_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)
    with pytest.raises(SweepError, match=f"needs its password(.|\n)*set \\${STORAGE_VARIABLE}"):
        SweepFolder(tmp_path).storage(None, "postgresql://me:***@host/db")


def test_a_storage_that_moved_with_its_folder_is_found(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "new")
    open_storage(folder.own_storage)
    assert folder.storage(None, f"sqlite:///{tmp_path}/old/study.db") == folder.own_storage
    assert not storage_exists(f"sqlite:///{tmp_path}/old/study.db")


READS_AS_NOBODY = """
import os, sys, optuna
from sweeps.storage import open_storage
for url in sys.argv[1:]:  # the first one brings in all that is imported late, while its files may be read
    print(*optuna.get_all_study_names(open_storage(url, to_read=True)))
    os.setuid(65534)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_storage_that_may_only_be_read_is_read(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/study.db" if kind == "sqlite" else f"journal:{tmp_path}/study.db"
    writer = open_storage(url)  # stays open: what SQLite has not moved into the file yet is read too
    optuna.create_study(study_name="kept", storage=writer)
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to(tmp_path_factory.getbasetemp().parents[1]) and path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o055)
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    before = sorted(path.name for path in tmp_path.iterdir())
    first = url.replace("study.db", "first")
    open_storage(first)
    command = [sys.executable, "-c", READS_AS_NOBODY, first, url]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["kept"], found.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if "first" not in path.name) == before

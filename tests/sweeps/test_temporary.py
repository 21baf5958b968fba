"""Ray's own files: private, removed in the end, and after a kill by the next driver, but never those of one that lives."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps import temporary
from sweeps.temporary import private_folder, remove_stale

HOLD = (
    "import sys, time, pathlib\nfrom sweeps import temporary\n"
    "temporary._parent = lambda: pathlib.Path(sys.argv[1])\n"
    "with temporary.private_folder() as folder:\n"
    "    (folder / 'ray').mkdir()\n    print(folder, flush=True)\n    time.sleep(600)\n"
)


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(temporary, "_parent", lambda: tmp_path)
    return tmp_path


def test_it_is_private_and_gone_in_the_end(parent: Path) -> None:
    with private_folder() as folder:
        assert folder.parent == parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "ray").mkdir(mode=0o777)
        (folder / "ray" / "log").write_text("x")
        with private_folder() as other:
            assert folder.is_dir()
        assert not other.exists()
        assert folder.is_dir()
    assert not list(parent.iterdir())


def test_the_path_of_a_socket_is_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    name = "sweeps-4194304-abcdefgh/ray/session_2026-11-25_17-13-39_123456_4194304/sockets/plasma_store"
    for given in ("/tmp", "/var/tmp", "/scratch/a-user/of/a/cluster", "/t" * 60):
        monkeypatch.setattr(temporary.tempfile, "gettempdir", lambda given=given: given)
        assert len(str(temporary._parent() / name)) <= 103


def test_after_a_kill_the_next_driver_removes_it_and_never_before(parent: Path) -> None:
    others = parent / "sweeps-storage-abc", parent / "sweeps-1-file", parent / "sweeps-2-link"
    others[0].mkdir()
    others[1].write_text("a file of the user's")
    others[2].symlink_to(others[0])
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    remove_stale(parent)
    assert (folder / "ray").is_dir()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert folder.is_dir()
    remove_stale(parent)
    assert not folder.exists()
    assert all(other.exists() for other in others)

"""The folder of what a driver begins beside itself (Ray, MPS): private, gone with the driver, else removed by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "sweeps-"
#: A socket's path has at most 103 bytes (107 on Linux): Ray takes 64 of them below its folder, our own names 26.
LONGEST_PARENT = 13


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user can look into, removed in the end; those of dead drivers are removed first.

    A driver holds a lock on its folder, which ends with the process however that ends; process numbers would not do, as
    containers that share a temporary folder each have their own. Ray itself lets everybody into the folder that it is given:
    let it have one below.
    """
    parent = _parent()
    remove_stale(parent)
    folder = _made_and_locked(parent)
    try:
        yield folder.path
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
        os.close(folder.lock)


def remove_stale(parent: Path) -> None:
    """Remove this user's folders of drivers that are dead."""
    for path in parent.glob(f"{PREFIX}[0-9]*-*"):
        with contextlib.suppress(OSError):  # gone meanwhile, another user's, or its driver lives
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


class _Locked:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody removes it but this driver
            fcntl.flock(self.lock, fcntl.LOCK_EX)


def _made_and_locked(parent: Path) -> _Locked:
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
        with contextlib.suppress(FileNotFoundError):  # another driver took it for stale before it was locked
            folder = _Locked(path)
            if path.exists():
                return folder
            os.close(folder.lock)


def _parent() -> Path:
    """The system's folder for temporary files, or /tmp where a socket's path would be too long in that."""
    given = Path(tempfile.gettempdir())
    system = Path("/tmp")
    return system if len(os.fsencode(given)) > LONGEST_PARENT and system.is_dir() else given

"""Files that several processes may want at once: whole or not at all, and one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["expanded", "file_digest", "locked", "sync_folder", "temporary_path", "user_cache", "write_atomically"]


def expanded(path: str | Path) -> Path:
    """A path as a shell reads it: `~` is the user's home folder, `~name` that of another.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no such home folder", str(path)) from error


def user_cache() -> Path:
    """This package's part of the user's cache folder: under $XDG_CACHE_HOME, else under ~/.cache.

    Raises:
        FileNotFoundError: there is no home folder.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache")) / "unlearn-sweeps"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, which is made and stays; the kernel releases it if the process dies.

    It is not re-entrant: a thread that asks for a lock it holds waits for ever.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def temporary_path(path: Path) -> Path:
    """A hidden name beside `path` that no other process, thread or host uses: `.<name>.<random>.tmp`."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name, fsync, rename: readers see the old file or the whole new one. On failure nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)  # nobody knows the temporary name
        raise
    finally:
        with suppress(OSError):  # on a disk that can only be read this fails too
            temporary.unlink()


def file_digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Optuna's journal file, into which no half line is left."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from optuna.exceptions import StorageInternalError
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock


class WholeLines(JournalFileBackend):
    """Optuna's journal file, into which a full disk or a kill in the middle of a write leaves no half line.

    Optuna reads past a half line at the end, but would append to it, and then read neither.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, JournalFileSymlinkLock(str(path))
        super().__init__(str(path), lock_obj=self.lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        try:
            with self._locked(), self.path.open("r+b") as file:
                _append(file, b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs))
        except OSError as error:
            raise StorageInternalError(f"{error.strerror}: {self.path}") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.lock.acquire()
        try:
            yield
        finally:
            self.lock.release()


def _append(file: BinaryIO, lines: bytes) -> None:
    """Write whole lines to the end, or nothing."""
    end = _end_of_lines(file)
    file.truncate(end)
    file.seek(end)
    try:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    except BaseException:
        os.ftruncate(file.fileno(), end)
        raise


def _end_of_lines(file: BinaryIO) -> int:
    """Where the last whole line of `file` ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0

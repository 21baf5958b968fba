"""One driver per sweep: a lease in the storage, refreshed while the driver lives."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage

from sweeps.errors import LostError, SweepError

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 30
STALE_SECONDS = 90
LOOK_SECONDS = 2
KEY = "lease"

Facts = Mapping[str, Any]


class Lease:
    """Held as a context manager: entering refuses while another driver holds it, leaving gives it back.

    A lease is taken over at once when it was held by a process of this machine that is dead. Any other is taken over when its
    beats have been watched to stand still for 90 s by this process's own clock: the clocks of two machines may differ, and a
    machine's may be set. A driver that finds its lease taken (it was suspended, say), or the storage's file away, into which it
    would write on unseen, stops itself by SIGTERM.

    Args:
        file: of the storage, where it is one.
        on_wait: called once with why entering takes time.
    """

    def __init__(
        self,
        storage: BaseStorage,
        sweep: str,
        file: Path | None = None,
        on_wait: Callable[[str], None] = logger.warning,
    ) -> None:
        self.study = optuna.create_study(study_name=sweep, storage=storage, load_if_exists=True)
        self.sweep = sweep
        self.identity = uuid.uuid4().hex
        self.lost = ""
        self._file = file
        self._is_journal = isinstance(storage, JournalStorage)
        self._mark = self._found()
        self._on_wait = on_wait
        self._beats = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> Lease:
        """Take the lease.

        Raises:
            SweepError: another driver holds it.
        """
        held = self.study.user_attrs.get(KEY)
        if held and held["id"] != self.identity and not _dead(held):
            self._watch(held)
        self._write()
        time.sleep(0.05)
        if self.study.user_attrs[KEY]["id"] != self.identity:
            raise SweepError(f"sweep {self.sweep!r} was taken by another driver at the same moment")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # the storage is gone: then the lease ends by itself
            if not self._taken():
                self.study.set_user_attr(KEY, None)
            elif error is not None:  # of trials that the other driver has ended, say
                self.lost = self.lost or self._taken_over
        if lost := self.lost or self._moved():
            raise LostError(lost) from error

    def _watch(self, held: Facts) -> None:
        """Return once the lease has stood still for long enough.

        Raises:
            SweepError: its holder lives, or was heard of just now.
        """
        if _here(held) or 0 <= time.time() - held["time"] <= STALE_SECONDS:
            raise self._refusal(held)
        self._on_wait(
            f"sweep {self.sweep!r} is held by process {held['pid']} on {held['host']}: "
            f"waiting {STALE_SECONDS} s to see whether it still runs"
        )
        end = time.monotonic() + STALE_SECONDS
        while time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            now = self.study.user_attrs.get(KEY)
            if not now:
                return
            if dict(now) != dict(held):
                raise self._refusal(now)

    def _refusal(self, held: Facts) -> SweepError:
        return SweepError(
            f"sweep {self.sweep!r} is being run by process {held['pid']} on {held['host']}\n"
            f"  remedy: wait for it, or stop it; if it is gone, its lease ends {STALE_SECONDS} s after it was last seen"
        )

    def _write(self) -> None:
        self._beats += 1
        pid = os.getpid()
        facts = {
            "id": self.identity,
            "host": platform.node(),
            "machine": _machine(),
            "pid": pid,
            "started": _started(pid),
            "beats": self._beats,
            "time": time.time(),
        }
        self.study.set_user_attr(KEY, facts)

    @property
    def _taken_over(self) -> str:
        return f"sweep {self.sweep!r} was taken over by another driver; this one has stopped"

    def _taken(self) -> bool:
        return (self.study.user_attrs.get(KEY) or {}).get("id") not in {None, self.identity}

    def _found(self) -> bytes | int | None:
        """What tells the storage's file from another in its place; None where there is none.

        A journal is opened anew for every record, and keeps its first line; some network file systems number it anew. SQLite's
        file stays open, and is not to be opened besides, for closing that would end its locks.
        """
        if self._file is None or not self._file.exists():
            return None
        if not self._is_journal:
            return self._file.stat().st_ino
        with self._file.open("rb") as lines:
            return lines.readline()

    def _moved(self) -> str:
        """What to say where the storage's file is no longer where it was; nothing where it is."""
        if self._found() == self._mark:
            return ""
        return (
            f"the storage {self._file} was moved or deleted while sweep {self.sweep!r} ran, which has stopped\n"
            "  remedy: move it back; the same command then resumes"
        )

    def _refresh(self) -> None:
        seconds: float = min(LOOK_SECONDS, REFRESH_SECONDS)  # at first: another may have taken it at the same moment
        while not self._stop.wait(seconds):
            seconds = REFRESH_SECONDS
            try:
                self.lost = self._moved() or (self._taken_over if self._taken() else "")
                if self.lost:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                self._write()
            except Exception:  # the storage is busy or away for a moment; whether it is for good, the driver will see
                logger.debug("the lease could not be refreshed", exc_info=True)


def holder(user_attrs: Facts) -> Facts | None:
    """Who seems to run a sweep now, from the attributes of its study; None where nobody does.

    Of a process on another machine only its last sign of life is known: it counts for 90 s, whichever clock is ahead.
    """
    held = user_attrs.get(KEY)
    if not held or _dead(held):
        return None
    return held if _here(held) or abs(time.time() - held["time"]) <= STALE_SECONDS else None


def _dead(held: Facts) -> bool:
    """Whether the holder is known to be dead: a process of this machine that is no more, or a zombie."""
    if not _same_machine(held):
        return False
    try:
        os.kill(held["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    if _state(held["pid"]) == "Z":
        return True
    started = _started(held["pid"])
    return None not in {started, held.get("started")} and started != held["started"]  # its number is another's now


def _here(held: Facts) -> bool:
    """Whether the holder is known to live: a process of this machine, started when it was, and not suspended."""
    if not _same_machine(held) or _dead(held) or held.get("started") is None:
        return False
    return _state(held["pid"]) not in {None, "T", "t"}


def _same_machine(held: Facts) -> bool:
    """Whether process numbers of the holder mean something here; leases of old told the host only."""
    return bool(held["host"] == platform.node() and held.get("machine", _machine()) == _machine())


def _machine() -> str | None:
    """This boot of this machine and its space of process numbers: hosts, and containers, may share one name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; empty where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks."""
    facts = _stat(pid)
    return facts[19] if len(facts) > 19 else None


def _state(pid: int) -> str | None:
    """`R` running, `S` sleeping, `T` suspended, `Z` a zombie, …"""
    facts = _stat(pid)
    return facts[0] if facts else None

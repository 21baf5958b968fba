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
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.storages import BaseStorage

from sweeps.errors import SweepError

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 30
STALE_SECONDS = 90
KEY = "lease"


class Lease:
    """Held as a context manager: entering refuses while another driver holds it, leaving gives it back.

    A lease is taken over once it is 90 s old, or at once when it was held by a dead process of this machine. A driver that finds
    its lease taken (it was suspended, say) stops itself by SIGTERM.
    """

    def __init__(self, storage: BaseStorage, sweep: str) -> None:
        self.study = optuna.create_study(study_name=sweep, storage=storage, load_if_exists=True)
        self.sweep = sweep
        self.identity = uuid.uuid4().hex
        self.lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> Lease:
        """Take the lease.

        Raises:
            SweepError: another driver holds it.
        """
        held = self.study.user_attrs.get(KEY)
        if held and held["id"] != self.identity and _alive(held):
            age = time.time() - held["time"]
            raise SweepError(
                f"sweep {self.sweep!r} is being run by process {held['pid']} on {held['host']} (last seen {age:.0f} s ago)\n"
                f"  remedy: wait for it, or stop it; if it is gone, its lease ends {STALE_SECONDS} s after it was last seen"
            )
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
        if self.lost:
            raise SweepError(f"sweep {self.sweep!r} was taken over by another driver; this one has stopped") from error

    def _write(self) -> None:
        pid = os.getpid()
        facts = {
            "id": self.identity,
            "host": platform.node(),
            "pid": pid,
            "started": _started(pid),
            "time": time.time(),
        }
        self.study.set_user_attr(KEY, facts)

    def _taken(self) -> bool:
        return (self.study.user_attrs.get(KEY) or {}).get("id") not in {None, self.identity}

    def _refresh(self) -> None:
        while not self._stop.wait(REFRESH_SECONDS):
            try:
                if self._taken():
                    self.lost = True
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                self._write()
            except Exception:  # the storage is busy or away for a moment; whether it is for good, the driver will see
                logger.debug("the lease could not be refreshed", exc_info=True)


def _alive(held: dict[str, Any]) -> bool:
    if time.time() - held["time"] > STALE_SECONDS:
        return False
    if held["host"] != platform.node():
        return True
    try:
        os.kill(held["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return held.get("started") in {None, _started(held["pid"])}  # else another process has its number now


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def holder(user_attrs: dict[str, Any]) -> dict[str, Any] | None:
    """Who runs a sweep now, from the attributes of its study; None where nobody does."""
    held = user_attrs.get(KEY)
    return held if held and _alive(held) else None

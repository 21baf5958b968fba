"""What SIGINT, SIGTERM and SIGHUP (the terminal was closed) do to a run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from sweeps.errors import LostError, SweepError


def _numbers() -> list[int]:
    """What asks a driver to stop; what is ignored stays so, as `nohup` has it of SIGHUP."""
    asks: list[int] = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    return asks if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN else [*asks, hang_up]


class Interrupted(KeyboardInterrupt):
    """The user (SIGINT, SIGHUP) or the system (SIGTERM) asked the driver to stop."""


class _Signals:
    """What these signals do in the main thread."""

    def __init__(self) -> None:
        self.numbers = _numbers()
        self.came: list[str] = []

    def take_over(self) -> None:
        """They raise `Interrupted`."""
        self._set(self._interrupt)

    def ignore(self) -> None:
        """They are noted, no more."""
        self._set(lambda number, frame: self.came.append(signal.Signals(number).name))

    def _interrupt(self, number: int, frame: object) -> None:
        self.came.append(signal.Signals(number).name)
        raise Interrupted(self.came[-1])

    def _set(self, handler: Any) -> None:
        for number in self.numbers:
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[_Signals]:
    """SIGINT, SIGTERM and SIGHUP raise `Interrupted` in the main thread.

    Raises:
        SweepError: in another thread, which gets no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise SweepError(
            "a sweep must be run in the main thread of its process, which Ctrl-C reaches: call it there, or start sweeps run as "
            "a process of its own"
        )
    signals = _Signals()
    before = {number: signal.getsignal(number) for number in signals.numbers}
    signals.take_over()
    try:
        yield signals
    except (Interrupted, LostError):
        raise
    except (KeyboardInterrupt, Exception) as error:  # Ray's compiled code turns ours into one of its own
        if not signals.came and not isinstance(error, KeyboardInterrupt):
            raise
        raise Interrupted(signals.came[0] if signals.came else "SIGINT") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """A signal that comes in the block is handled at its end, and does not cut it in two."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in _numbers()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])

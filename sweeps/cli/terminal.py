"""How commands speak: exit codes, lines on stderr, counts and times in words."""

from __future__ import annotations

import errno
import functools
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console

from sweeps.errors import SweepError
from sweeps.secrets import mask
from sweeps.text import clean
from unlearn.errors import UnlearnError

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
RETRY = "--retry-failed"
#: A disk without room, or a user's share of it.
FULL = {errno.ENOSPC, errno.EDQUOT}


def errors_to_exit_code(command: Callable[..., int]) -> Callable[..., int]:
    """Bad input, and files or a storage that cannot be used, become a message on stderr and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        code = DONE
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()  # else Python finds as it ends that nobody reads it, and says so
        except (SweepError, UnlearnError) as error:
            echo(mask(str(error)))
            return BAD_INPUT
        except BrokenPipeError:  # whoever reads the output has seen enough, as `head` does
            _nowhere(sys.stdout)
        except OSError as error:
            if error.filename is None and error.errno not in FULL:
                raise
            if error.filename is None:
                _nowhere(sys.stdout)
            echo(f"{error.filename or 'the output'} cannot be read or written: {error.strerror}")
            if error.errno in FULL:
                echo("  remedy: make room there; the same command then goes on, nothing finished is lost")
            return BAD_INPUT
        except Exception as error:
            opened = sys.modules.get(
                "sweeps.storage.open"
            )  # not imported for this: where none was opened, none has failed
            if opened is None or not isinstance(error, opened.STORAGE_ERRORS):
                raise
            echo(str(opened.failure(error)))
            return BAD_INPUT
        return code

    return wrapped


class _Console(Console):
    """Rich ends with exit code 1 where nobody reads what it prints, which would mean that trials failed."""

    def on_broken_pipe(self) -> None:
        if not self.stderr:
            raise BrokenPipeError
        _nowhere(sys.stderr)


def stdout_console() -> Console:
    """Of stdout; a pipe has no width: nothing is cut or wrapped in it."""
    return _Console() if sys.stdout.isatty() else _Console(width=10_000)


def stderr_console() -> Console:
    """Of stderr, likewise."""
    return _Console(stderr=True) if sys.stderr.isatty() else _Console(stderr=True, width=200)


def echo(text: str) -> None:
    """A line for the user, on stderr. That it reaches nobody stops nothing: a sweep whose progress goes into `head` runs on."""
    try:
        print(clean(text), file=sys.stderr, flush=True)
    except OSError:  # no reader is left, the terminal was closed, or the disk of a log is full
        _nowhere(sys.stderr)


def _nowhere(stream: TextIO) -> None:
    """Let what is printed from now on go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """A line of a command's answer, on stdout."""
    print(clean(text))


def typed_command() -> str:
    """The command as it was typed, without passwords."""
    return f"sweeps {' '.join(shlex.quote(mask(word)) for word in sys.argv[1:])}"


def count_of(count: int, noun: str = "trial", several: str = "") -> str:
    """So many of something; `several` where the plural is no mere s."""
    return f"{count} {noun if count == 1 else several or f'{noun}s'}"


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are some: 1:07, 2:01:07."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

"""Real processes: the command line run as a user runs it, and killed as fate kills it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def start(arguments: list[str], folder: Path, cache: Path, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """`sweeps ARGUMENTS` in `folder`, by the command that was installed, its output in pipes (or stderr elsewhere)."""
    return _python([str(Path(sys.executable).with_name("sweeps")), *arguments], folder, cache, stderr)


def _python(arguments: list[str], folder: Path, cache: Path, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "UNLEARN_SWEEPS_CACHE": str(cache), "PYTHONWARNINGS": "default"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 900) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def sweeps(arguments: list[str], folder: Path, cache: Path) -> tuple[int, str, str]:
    """Run `sweeps ARGUMENTS` to its end."""
    return finish(start(arguments, folder, cache))


def on_a_terminal(arguments: list[str], folder: Path, cache: Path) -> tuple[int, str, str]:
    """Run `sweeps ARGUMENTS` to its end with a terminal for stderr; the last is what that showed."""
    ours, theirs = pty.openpty()
    process = start(arguments, folder, cache, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    code, out, _ = finish(process)
    return code, out, shown.decode()


def in_turn(commands: list[list[str]], folder: Path, cache: Path) -> tuple[int, str, str]:
    """Run several commands one after another in one process, whose start they share; stops at the first that fails."""
    code = (
        f"from sweeps.cli.app import app\nfor command in {commands}:\n"
        "    try: app(command)\n    except SystemExit as done:\n        if done.code: raise"
    )
    return finish(_python(["-c", code], folder, cache))


def count_trials(folder: Path, condition: str) -> int:
    """How many trials of the tiny sweep in `folder` fulfil an SQL condition, read as another process would."""
    query = f"select count(*) from trials join studies using (study_id) where {condition}"
    try:
        place = f"file:{folder / 'runs/tiny/study.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(place, uri=True, timeout=10)) as database:
            (count,) = database.execute(query).fetchone()
    except sqlite3.OperationalError:  # there is none yet
        return 0
    return int(count)


def wait_until(condition: Callable[[], bool], timeout: float = 600) -> None:
    """Poll until `condition` holds.

    Raises:
        TimeoutError: it did not.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def kill_tree(process: subprocess.Popen[str]) -> None:
    """kill -9 of the process and everything below it."""
    for pid in [process.pid, *descendants(process.pid)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Ray's worker processes below a driver."""
    return [pid for pid, name in named(process).items() if name.startswith("ray::") and "Agent" not in name]


def raylet(process: subprocess.Popen[str]) -> list[int]:
    """The process of Ray's that keeps the workers of a machine."""
    return [pid for pid, name in named(process).items() if name.partition("\0")[0].endswith("/raylet")]


def named(process: subprocess.Popen[str]) -> dict[int, str]:
    """Command lines of the processes below a driver."""
    paths = {pid: Path("/proc") / str(pid) / "cmdline" for pid in descendants(process.pid)}
    return {pid: path.read_text(errors="replace") for pid, path in paths.items() if path.exists()}

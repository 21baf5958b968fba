"""NVIDIA's Multi-Process Service (MPS): what lets kernels of several processes run on a GPU at the same time.

As a program of its own it keeps a daemon for as long as its stdin is open, so for no longer than the process that began it,
however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from sweeps.jobs.child import command_of
from sweeps.temporary import private_folder

__all__ = ["served_by_mps"]

CONTROL = "nvidia-cuda-mps-control"
#: Where the daemon and its clients find each other, and where it writes what it does.
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
#: The daemon answers, or ends, within so many seconds.
ANSWER_SECONDS = 20.0


@contextlib.contextmanager
def served_by_mps() -> Iterator[str | None]:
    """Within, processes that this one begins share GPUs by MPS: by the daemon that is there, or by one of their own.

    Yields why they do not, as a clause; None where they do.
    """
    if shutil.which(CONTROL) is None:
        yield f"{CONTROL} is not installed"
        return
    if _said(["get_server_list"]) is None:
        yield None
        return
    with private_folder() as folder, contextlib.ExitStack() as stack:
        for name, place in ((PIPES, "pipes"), (LOGS, "logs")):
            stack.enter_context(_variable(name, str(folder / place)))
            (folder / place).mkdir()
        yield stack.enter_context(_kept())


@contextlib.contextmanager
def _kept() -> Iterator[str | None]:
    """A daemon; yields why there is none."""
    keeper = subprocess.Popen(  # a session of its own: Ctrl-C in a terminal goes to all processes that share one
        command_of("sweeps.jobs.mps"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        said = keeper.stdout.readline().strip()
        yield None if said == "ready" else f"it could not be started: {said or 'no reason was given'}"
    finally:
        keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(2 * ANSWER_SECONDS)
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """An environment variable, as it was before afterwards."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _said(command: list[str], *arguments: str) -> str | None:
    """Give the daemon a command, or with arguments begin it; what is wrong, or None."""
    try:
        done = subprocess.run(
            [CONTROL, *arguments],
            input="\n".join([*command, ""]),
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    return (said or f"it ended with {done.returncode}") if done.returncode or "Cannot find" in said else None


def main() -> None:
    """Begin a daemon, say so on stdout, and end it at the end of stdin."""
    why_not = _said([], "-d")
    print(why_not or "ready", flush=True)
    sys.stdin.read()
    if why_not is None:
        _said(["quit -t 5"])


if __name__ == "__main__":
    main()

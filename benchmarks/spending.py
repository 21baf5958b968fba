"""What commands take with all that they start, and how fast this processor multiplies matrices."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import torch

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Spent:
    """Wall-clock seconds of commands, and processor seconds of all that they started."""

    wall: float
    cpu: float


def spend(*commands: Sequence[object], log: Path, env: Mapping[str, str] | None = None) -> Spent:
    """Run commands side by side, from the repository's root; processor seconds are looked up twice a second.

    Args:
        log: takes what they print.
        env: of the commands, beside this process's own.
    """
    started, used = time.perf_counter(), dict[int, float]()
    own = {**os.environ, **(env or {})}
    with log.open("ab") as out:
        running = [Popen(list(map(str, c)), cwd=ROOT, stdout=out, stderr=out, env=own) for c in commands]
        while None in [process.poll() for process in running]:
            used |= processor_seconds({process.pid for process in running})
            time.sleep(0.5)
    if any(process.returncode for process in running):
        raise SystemExit(f"{commands[0]} failed:\n{log.read_text()[-3000:]}")
    return Spent(time.perf_counter() - started, sum(used.values()))


def processor_seconds(roots: set[int]) -> dict[int, float]:
    """What each process among `roots` and their descendants has used so far."""
    parents, used = dict[int, int](), dict[int, float]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(path.parent.name), path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[pid], used[pid] = int(rest[1]), (int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK")
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: used[pid] for pid in found & used.keys()}


def matrix_rate(dtype: torch.dtype) -> float:
    """Operations a second of one thread on 1024 × 1024 matrices, the best of twenty products."""
    a, seconds = torch.randn(1024, 1024).to(dtype), []
    for _ in range(20):
        started = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - started)
    return float(2 * 1024**3 / min(seconds))

"""What the driver's side of Optuna costs without Ray: asking for trivial trials and telling how they ended, in SQLite.

    uv run python benchmarks/driver_storage.py [TRIALS] [STUDIES] [ROUNDS]

Each round does it as the driver does (all of a trial in one transaction) and as Optuna's public calls do (a transaction for each
attribute and epoch), in turn. Prints the driver's milliseconds of processor time per trial, in blocks of a fifth, and the ratio.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from statistics import median
from unittest.mock import patch

from benchmarks.driver_overhead import plan_of, trivial_answer
from sweeps.storage import open_storage
from sweeps.storage.bulk import TrialWriter
from sweeps.studies.multiplexer import Assignment, Multiplexer

WORKERS = 2


def milliseconds(trials: int, studies: int, *, at_once: bool) -> list[float]:
    """Processor time of each trial, asked and told, with `WORKERS` in progress."""
    tables = TrialWriter._tables if at_once else None
    with tempfile.TemporaryDirectory() as folder, patch.object(TrialWriter, "_tables", tables):
        multiplexer = Multiplexer(plan_of(trials, "random", studies), open_storage(f"sqlite:///{folder}/study.db"))
        running: deque[Assignment] = deque()
        found, started = [], time.process_time()
        while True:
            while len(running) < WORKERS and (assignment := multiplexer.next()):
                running.append(assignment)
            if not running:
                return found
            assignment = running.popleft()
            multiplexer.finish(assignment, trivial_answer(assignment.job))
            now = time.process_time()
            found.append(1000 * (now - started))
            started = now


def main() -> None:
    trials, studies, rounds = (int(text) for text in (*sys.argv[1:], *("1000", "20", "3")[len(sys.argv) - 1 :]))
    milliseconds(studies, studies, at_once=True)  # imports
    ratios = []
    for number in range(rounds):
        times = {
            at_once: milliseconds(trials, studies, at_once=at_once) for at_once in (bool(number % 2), not number % 2)
        }
        for at_once, found in times.items():
            fifth = max(1, len(found) // 5)
            blocks = [median(found[i : i + fifth]) for i in range(0, fifth * 5, fifth)]
            shown = ", ".join(f"{block:.1f}" for block in blocks)
            print(
                f"{'at once' if at_once else 'singly':8} {sum(found) / len(found):6.1f} ms a trial; median by fifths {shown}"
            )
        ratios.append(sum(times[False]) / sum(times[True]))
    print(
        f"singly / at once, {trials} trials, {studies} studies: median {median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()

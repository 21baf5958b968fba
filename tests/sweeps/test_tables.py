"""What is printed on narrow terminals: every name whole, every value there, nothing of a user's taken for markup."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from sweeps.cli.progress import Bars
from sweeps.cli.status import NAMES, VALUES, study_table
from sweeps.cli.tables import Rows, print_rows
from sweeps.record.progress import StudyProgress

METHODS = ("neg_grad_plus", "boundary_expanding", "sure", "tests.own[bold]:Method")
ROWS = [
    (stage, "partial_class", method, "12", "345", "1", "0", "7", "0.178 ± 0.021 (n = 5)")
    for stage in ("evaluation", "sensitivity")
    for method in METHODS
]


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_rows(console, Rows(NAMES, VALUES, ROWS), title="a-sweep (strict protocol)")
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 30])
def test_every_name_and_value_is_whole(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    words = text.replace(",", " ").split()
    for name in ("evaluation", "sensitivity", "partial_class", *METHODS, *VALUES):
        assert name in words
    assert words.count("0.178") == words.count("345") == len(ROWS)
    assert "…" not in text


def test_what_fits_is_a_table_and_below_it_is_grouped() -> None:
    assert printed(140).count("partial_class") == len(ROWS)
    assert printed(115).count("partial_class") == 2
    assert printed(115).count("planned") == 1
    assert printed(40).count("planned") == len(ROWS)


def test_counts_that_are_all_0_have_no_column() -> None:
    done = StudyProgress("search", "random", "sure", planned=8, done=8, running=0, pruned=0, failed=0, score=1.5)
    failed = replace(done, method="scrub", failed=2, score=math.nan)
    table = study_table([done])
    assert (table.values, table.rows) == (
        ["done", "planned", "score"],
        [("search", "random", "sure", "8", "8", "1.50 (best)")],
    )
    table = study_table([done, failed])
    assert table.values == ["done", "planned", "failed", "score"]
    assert [row[3:] for row in table.rows] == [("8", "8", "0", "1.50 (best)"), ("8", "8", "2", "")]


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_progress_shows_the_whole_time(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bars = Bars(console, 5678)
    for stage in ("reference", "confirmation", "all"):
        bars.add_task(stage, total=5678, completed=1234)
    bars.note = "12.3 trials/min, 95 min left, best 0.178 (partial_class/boundary_expanding)"
    with console.capture() as captured:
        console.print(*bars.get_renderables(), sep="\n")
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert max(map(len, lines)) <= width
    assert all(line.endswith("1234/5678 0:00:00") for line in lines[:3])
    assert lines[1].startswith("confirmation ")
    assert "(partial_class/boundary_expanding)" in " ".join(lines[3:]).split()

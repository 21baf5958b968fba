"""The driver over a long run: its cost does not grow with what is finished."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]


def test_finished_trials_are_let_go_of() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/driver_overhead.py"), "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "61 trials in" in done.stdout
    held = re.search(r"trials that Ray Tune holds: (\d+) in the end", done.stdout)
    assert held is not None
    assert 0 < int(held[1]) < 10

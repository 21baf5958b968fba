"""A process of its own that imports what this one would.

Python's `-m` puts the folder that the user types in first on the search path: a `queue.py` there would hide Python's own.
"""

from __future__ import annotations

import gc
import runpy
import sys


def command_of(module: str) -> list[str]:
    """The command that runs a module as the main one, with this process's search path."""
    return [sys.executable, "-P", __file__, module, *sys.path]


if __name__ == "__main__":
    gc.set_threshold(100_000)  # seldom: imports are most of what it does, and what is imported stays
    sys.path[:] = sys.argv[2:]
    runpy.run_module(sys.argv[1], run_name="__main__")

"""Reports read the sweep's record and nothing else of the project."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import reports

ALLOWED = {"reports", "pandas", "numpy", "scipy", "plotly"}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
    return names


def test_only_what_reports_may_import():
    for file in Path(reports.__file__).parent.rglob("*.py"):
        for name in imported(file):
            top = name.split(".")[0]
            assert top in ALLOWED | sys.stdlib_module_names or name == "sweeps.record", f"{file.name} imports {name}"

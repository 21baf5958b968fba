"""Who may import whom: the rooms of CONTRIBUTING.md, checked on the source text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN_IN_UNLEARN = {"ray", "optuna", "yaml", "plotly", "pydantic", "typer", "rich", "pandas", "sweeps", "reports"}
SIBLINGS = ("methods", "metrics", "scenarios", "data", "models")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources("unlearn"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_science_knows_nothing_of_the_search(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & FORBIDDEN_IN_UNLEARN


@pytest.mark.parametrize("path", sources("reports"), ids=lambda p: str(p.relative_to(ROOT)))
def test_reports_read_the_store_only(path: Path) -> None:
    ours = {name for name in imports(path) if name.split(".")[0] in {"sweeps", "unlearn"}}
    assert ours <= {"sweeps.record"}
    assert not {name.split(".")[0] for name in imports(path)} & {"ray", "optuna", "torch"}


@pytest.mark.parametrize("path", sources("sweeps"), ids=lambda p: str(p.relative_to(ROOT)))
def test_ray_appears_in_its_rooms_only(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert "ray" not in roots or path.parent.name == "ray_tune"
    assert "reports" not in roots or path.parent.name == "outputs" or path.stem == "sweep"


@pytest.mark.parametrize("folder", SIBLINGS)
def test_siblings_never_import_each_other(folder: str) -> None:
    keys = {p.stem for p in (ROOT / "unlearn" / folder).glob("*.py") if not p.stem.startswith("_")}
    for path in (ROOT / "unlearn" / folder).glob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            assert not (parts[:2] == ["unlearn", folder] and len(parts) > 2 and parts[2] in keys), (path.name, name)

"""Who may import whom: the folders of CONTRIBUTING.md, checked on the source text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"unlearn", "sweeps", "reports", "search_spaces"}
FORBIDDEN_IN_UNLEARN = {"ray", "optuna", "yaml", "plotly", "pydantic", "typer", "rich", "pandas", "sweeps", "reports"}
SIBLINGS = ("methods", "metrics", "scenarios", "data", "models")
#: What reports read beside themselves: what a storage holds, which gaps there are, and how files are replaced whole.
READ_BY_REPORTS = {"sweeps.record", "unlearn.gaps", "unlearn.files"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it; of our own packages also the name taken, as it may be a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module in OURS:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def files_of(folder: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", sources(folder), ids=lambda p: str(p.relative_to(ROOT)))


def part_of(package: str, name: str) -> str | None:
    """The folder or file directly under `package` in which the module `name` lies; None where it lies elsewhere."""
    head, _, rest = name.partition(".")
    return rest.split(".")[0] if head == package and rest else None


def parts(package: str) -> dict[str, set[str]]:
    """What each folder and file directly under a package imports of the others."""
    found: dict[str, set[str]] = {}
    for path in sources(package):
        own = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if own != "__init__":
            others = {part_of(package, name) for name in imports(path)}
            found.setdefault(own, set()).update(part for part in others if part not in {None, own})
    return found


@files_of("unlearn")
def test_the_science_knows_nothing_of_the_search(path: Path) -> None:
    assert not roots(path) & FORBIDDEN_IN_UNLEARN


@files_of("reports")
def test_reports_read_the_record_only(path: Path) -> None:
    ours = {name for name in imports(path) if name.split(".")[0] in OURS - {"reports"}}
    assert ours <= READ_BY_REPORTS
    assert roots(path) - sys.stdlib_module_names <= {
        "reports",
        "sweeps",
        "unlearn",
        "pandas",
        "numpy",
        "scipy",
        "plotly",
    }


@files_of("sweeps")
def test_only_ray_tune_imports_ray(path: Path) -> None:
    may = path.parent == ROOT / "sweeps" / "ray_tune" and path.name != "__init__.py"
    assert may or "ray" not in roots(path)


@files_of("sweeps")
def test_only_outputs_imports_reports(path: Path) -> None:
    assert path.parent == ROOT / "sweeps" / "outputs" or "reports" not in roots(path)


@files_of("sweeps/studies")
def test_studies_know_nothing_of_ray(path: Path) -> None:
    assert "ray_tune" not in {part_of("sweeps", name) for name in imports(path)}


@pytest.mark.parametrize("package", ["unlearn", "sweeps"])
def test_no_import_circles(package: str) -> None:
    """A folder is one part, and late imports count: what must be imported late to escape a circle is one."""
    graph = parts(package)
    assert len(graph) > 10
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_circles_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading of imports sees a circle through a late import, and one through `from package import module`."""
    (tmp_path / "sweeps" / "a").mkdir(parents=True)
    (tmp_path / "sweeps" / "a" / "one.py").write_text("def late():\n    from sweeps import b\n")
    (tmp_path / "sweeps" / "b.py").write_text("from sweeps.a.one import late\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert parts("sweeps") == {"a": {"b"}, "b": {"a"}}


@pytest.mark.parametrize("folder", SIBLINGS)
def test_siblings_never_import_each_other(folder: str) -> None:
    keys = {p.stem for p in (ROOT / "unlearn" / folder).glob("*.py") if not p.stem.startswith("_")}
    for path in (ROOT / "unlearn" / folder).glob("*.py"):
        for name in imports(path):
            words = name.split(".")
            assert not (words[:2] == ["unlearn", folder] and len(words) > 2 and words[2] in keys), (path.name, name)

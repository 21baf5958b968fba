"""Who may import whom: the folders of CONTRIBUTING.md, checked on the source text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"unlearn", "sweeps", "reports", "search_spaces"}
FORBIDDEN_IN_UNLEARN = {"ray", "optuna", "yaml", "plotly", "pydantic", "typer", "rich", "pandas", "sweeps", "reports"}
SIBLINGS = ("methods", "metrics", "scenarios", "data", "models")
#: What reports read beside themselves: what a storage holds, which gaps there are, and how files are replaced whole.
READ_BY_REPORTS = {"sweeps.record", "unlearn.gaps", "unlearn.files"}
IN_REPORTS = {"reports", "sweeps", "unlearn", "pandas", "numpy", "scipy", "plotly"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it; of our own packages also the name taken, as it may be a module."""
    for node in ast.walk(tree_of(path)):
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


def breaking(folder: str, rule: Callable[[Path], object]) -> list[str]:
    """The files under `folder` that do not keep a rule."""
    assert len(sources(folder)) > 3
    return [str(path.relative_to(ROOT)) for path in sources(folder) if not rule(path)]


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


def test_the_science_knows_nothing_of_the_search() -> None:
    assert not breaking("unlearn", lambda path: not roots(path) & FORBIDDEN_IN_UNLEARN)


def test_reports_read_the_record_only() -> None:
    def keeps(path: Path) -> bool:
        ours = {name for name in imports(path) if name.split(".")[0] in OURS - {"reports"}}
        return ours <= READ_BY_REPORTS and roots(path) - sys.stdlib_module_names <= IN_REPORTS

    assert not breaking("reports", keeps)


def test_only_ray_tune_imports_ray() -> None:
    def keeps(path: Path) -> bool:
        may = path.parent == ROOT / "sweeps" / "ray_tune" and path.name != "__init__.py"
        return may or "ray" not in roots(path)

    assert not breaking("sweeps", keeps)


def test_only_outputs_imports_reports() -> None:
    outputs = ROOT / "sweeps" / "outputs"
    assert not breaking("sweeps", lambda path: path.parent == outputs or "reports" not in roots(path))


def test_studies_know_nothing_of_ray() -> None:
    assert not breaking(
        "sweeps/studies", lambda path: "ray_tune" not in {part_of("sweeps", name) for name in imports(path)}
    )


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


#: Where names that other packages do not promise to keep may be reached; all are listed and checked there.
INTERNALS = ROOT / "sweeps" / "ray_tune" / "internals.py"
#: But for operators of torch that have no public name: `test_sgd.py` holds their results against torch's own optimizer.
OPERATORS = {"unlearn/sgd.py": {"_foreach_add", "_foreach_add_", "_foreach_mul_"}}
UNSTABLE = {"ray", "optuna", "optuna_dashboard", "tensorboardX", "mlflow"}
OUR_TREE = [p for folder in ("unlearn", "sweeps", "reports", "benchmarks", "tests") for p in sources(folder)]


def private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def own_names(tree: ast.AST) -> Iterator[str]:
    """The private names that a file defines: functions, classes, variables, and attributes of `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def foreign_names(tree: ast.AST, own: set[str]) -> Iterator[str]:
    """Private names of other packages that a file reaches: as an attribute, in `getattr`, or in an import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"getattr", "setattr"}:
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant) and private(str(a.value)))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for name in (f"{module}.{alias.name}".lstrip(".") for alias in node.names):
                words = name.split(".")
                if words[0] in UNSTABLE and (words[0] == "tensorboardX" or any(map(private, words))):
                    yield name


def test_private_names_of_others_are_reached_in_one_module() -> None:
    trees = {path: tree_of(path) for path in OUR_TREE}
    own = {name for tree in trees.values() for name in own_names(tree) if private(name)}
    assert not own & {
        "_storage",
        "_study_id",
        "_trial_id",
        "_lock",
        "_trials",
    }  # of Optuna and Ray: they would be passed over
    found = {str(path.relative_to(ROOT)): sorted(foreign_names(tree, own)) for path, tree in trees.items()}
    inside = found.pop(str(INTERNALS.relative_to(ROOT)))
    assert {"_actor_task_failed", "_actor_cache"} <= set(inside)
    outside = {path: set(names) for path, names in found.items() if names and not path.startswith("tests/")}
    assert outside == OPERATORS


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from optuna.storages.journal._file import get_lock_file", "optuna.storages.journal._file.get_lock_file"),
        ("import ray._private.worker as w", "ray._private.worker"),
        ("from tensorboardX import SummaryWriter", "tensorboardX.SummaryWriter"),
        ("study._storage.get_trial(3)", "_storage"),
        ("getattr(study, '_study_id')", "_study_id"),
    ],
)
def test_private_names_are_found(line: str, name: str) -> None:
    assert list(foreign_names(ast.parse(line), {"_mine"})) == [name]
    assert not list(foreign_names(ast.parse("self._mine\nfrom ray.tune import Callback\nx.__dict__"), {"_mine"}))

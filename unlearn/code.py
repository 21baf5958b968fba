"""What a component from elsewhere computes by, in a word: its own code and all that this refers to in the files beside it.

Comments and layout do not count, nor what the component does not refer to, nor libraries, nor files that it reads itself.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from unlearn.registry import find, is_own, of_library

__all__ = ["code_digest", "code_of"]

#: Instead of a name: everything in a module.
ALL = "*"
LIBRARIES = {"site-packages", "dist-packages"}

#: A module, and a name in it.
Name = tuple[str, str]


def code_of(folder: str, key: str) -> str | None:
    """The digest of what `key` names in `folder`; None of this package's own and of a library's, which have versions.

    Raises:
        UnknownNameError, ComponentError: as `unlearn.registry.find`.
    """
    return None if is_own(folder, key) or of_library(folder, key) else code_digest(key, find(folder, key))


def code_digest(component: str, found: Any) -> str | None:
    """SHA-256 of the code of a component, the same on every machine; None where there is no source to read.

    Args:
        component: `package.module:Name`; of an entry point, whose name says less, `found` tells where it is defined.
    """
    module, _, name = component.partition(":") if ":" in component else (found.__module__, ":", found.__name__)
    home = _file(module)
    if home is None:
        return None
    todo, seen, texts = [(module, name)], set[Name](), set[str]()
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        if _beside(at[0], module, home) and (file := _file(at[0])) is not None:
            for text, refers in _Source.of(at[0], file).parts(at[1]):
                texts.add(text)
                todo += refers
    return hashlib.sha256("\n".join(sorted(texts)).encode("utf-8", "surrogateescape")).hexdigest()


def _file(module: str) -> Path | None:
    """A module's source; None where it has none, or is no module."""
    try:
        spec = find_spec(module)
    except Exception:  # whatever a package raises that is imported on the way
        return None
    file = Path(spec.origin or "") if spec is not None else Path()
    return file if file.suffix == ".py" and file.is_file() else None


def _beside(module: str, first: str, home: Path) -> bool:
    """Whether a module is of the same package as the first one, or lies in its folder and is no library."""
    package = module.partition(".")[0]
    if package == first.partition(".")[0]:
        return True
    file = _file(package)
    return file is not None and file.is_relative_to(home.parent) and not LIBRARIES & set(file.parts)


@dataclass(frozen=True)
class _Source:
    """The statements of a module, each with the names of the module that it binds or may change."""

    module: str
    package: str
    statements: tuple[tuple[ast.stmt, frozenset[str]], ...]

    @staticmethod
    def of(module: str, file: Path) -> _Source:
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        return _Source(module, package, tuple((s, frozenset(_bound(s))) for s in ast.parse(file.read_bytes()).body))

    def parts(self, name: str) -> Iterator[tuple[str, list[Name]]]:
        """(text, what it refers to) of each statement that has to do with `name`."""
        for statement, bound in self.statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                yield from self._imported(statement, name)
            elif name in bound or name == ALL:
                nodes = list(ast.walk(statement))
                refers = [(self.module, node.id) for node in nodes if isinstance(node, ast.Name)]
                inner = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
                targets = [at for node in inner for _, refers_to in self._imported(node, ALL) for at in refers_to]
                yield ast.unparse(statement), refers + targets

    def _imported(self, statement: ast.Import | ast.ImportFrom, name: str) -> Iterator[tuple[str, list[Name]]]:
        """The same of an import, as far as it gives `name`."""
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                given, module, of = alias.asname or alias.name.partition(".")[0], alias.name, ALL
            else:
                given, of = alias.asname or alias.name, name if alias.name == ALL else alias.name
                module = "." * statement.level + (statement.module or "")
                module = resolve_name(module, self.package) if statement.level else module
            if given in {name, ALL} or name == ALL:
                yield f"{given} = {module}:{of}", [(module, of), (f"{module}.{of}", ALL)]


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds, or whose values it may change."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            pass  # documentation, and what only a script does
        case _:
            stored = [*getattr(statement, "targets", []), *filter(None, [getattr(statement, "target", None)])]
            for node in (node for part in stored or [statement] for node in ast.walk(part)):
                if isinstance(node, ast.Name):
                    yield node.id
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield node.name
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)

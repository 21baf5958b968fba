"""What a component from elsewhere computes by, in a word: its own code and all that this refers to in the files beside it.

Comments, documentation and layout do not count, nor what the component does not refer to, nor libraries, nor files that it reads
itself. What is found by a name in a text alone (in a registry, by `importlib`) is not seen, nor what another module changes.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from unlearn.registry import find, is_own, of_library

__all__ = ["code_digest", "code_of"]

#: Instead of a name: everything in a module.
ALL = "*"
LIBRARIES = {"site-packages", "dist-packages"}
STANDARD = Path(os.__file__).parent

#: A module, and a name in it; with attributes, as `layers.pool`, where these are referred to.
Name = tuple[str, str]


def code_of(folder: str, key: str) -> str | None:
    """The digest of what `key` names in `folder`; None of this package's own and of a library's, which have versions.

    Raises:
        UnknownNameError, ComponentError: as `unlearn.registry.find`.
    """
    if is_own(folder, key) or of_library(folder, key):
        return None
    found = find(folder, key)
    entries = [] if ":" in key else [e for e in entry_points(group=f"unlearn.{folder}") if e.name == key]
    return code_digest(f"{entries[0].module}:{entries[0].attr}" if entries else key, found)


def code_digest(component: str, found: Any) -> str | None:
    """SHA-256 of the code of a component, the same on every machine; None where there is no source to read.

    Args:
        component: `package.module:Name`.
        found: what that is; it tells where it and its base classes are defined, however the name was bound.
    """
    module, _, name = component.partition(":")
    modules = _Modules(module)
    todo, seen, texts = [(module, name), *_defined(found)], set[Name](), set[str]()
    while todo:
        at = todo.pop()
        source = None if at in seen else modules.source(at[0])
        seen.add(at)
        if source is not None:
            text, refers = source.part(at[1])
            texts |= {f"{at[0]}:{_head(at[1])}\n{text}"} if text else set()
            todo += refers
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest() if texts else None


def _defined(found: Any) -> Iterator[Name]:
    """Where a function, or a class and those that it inherits from, are defined."""
    for part in getattr(found, "__mro__", (found,)):
        module, name = getattr(part, "__module__", None), getattr(part, "__qualname__", None)
        if isinstance(module, str) and isinstance(name, str):
            yield module, _head(name)


def _head(name: str) -> str:
    return name.partition(".")[0]


@dataclass(frozen=True)
class _Modules:
    """The modules that count beside the one named `first`; none of them is imported for it."""

    first: str
    specs: dict[str, ModuleSpec | None] = field(default_factory=dict)
    sources: dict[str, _Source | None] = field(default_factory=dict)
    counting: dict[str, bool] = field(default_factory=dict)

    def source(self, module: str) -> _Source | None:
        """None of a library, and where there is no source to read."""
        if module not in self.sources:
            package = _head(module)
            if package not in self.counting:
                self.counting[package] = self._counts(package)
            file = _file(self._spec(module)) if self.counting[package] else None
            self.sources[module] = None if file is None else _Source.of(module, file)
        return self.sources[module]

    @cached_property
    def root(self) -> Path | None:
        """The folder that the package of the first module lies in."""
        file = _file(self._spec(self.first))
        above = self.first.count(".") + (file is not None and file.name == "__init__.py")
        return None if file is None else [*file.parents][: above + 1][-1]

    def _counts(self, package: str) -> bool:
        """Whether a package is the first module's, or lies beside it and is no library."""
        if package == _head(self.first):
            return True
        spec = self._spec(package)
        places = (
            [] if spec is None else [*filter(None, [_file(spec)]), *map(Path, spec.submodule_search_locations or [])]
        )
        if package == _head(__name__) or self.root is None or not places or not places[0].is_relative_to(self.root):
            return False
        place = places[0].parent if places[0].name == "__init__.py" else places[0]
        installed = bool(LIBRARIES & set(place.parts)) or any(place.parent.glob("*.dist-info"))
        return not (installed or place.is_relative_to(STANDARD))

    def _spec(self, module: str) -> ModuleSpec | None:
        if module not in self.specs:
            self.specs[module] = self._looked_up(module)
        return self.specs[module]

    def _looked_up(self, module: str) -> ModuleSpec | None:
        package = module.rpartition(".")[0]
        try:
            if module in sys.modules or not package:
                return find_spec(module)
            above = self._spec(package)
            folders = above and above.submodule_search_locations
            return PathFinder.find_spec(module, [*folders]) if folders else None
        except Exception:  # whatever a package's own finder raises; of `__main__` there is none
            return None


def _file(spec: ModuleSpec | None) -> Path | None:
    """A module's source."""
    file = Path(spec.origin or "") if spec is not None else Path()
    return file if file.suffix == ".py" and file.is_file() else None


@dataclass(frozen=True)
class _Statement:
    """A statement of a module, and what is to be known of it."""

    node: ast.stmt

    @cached_property
    def text(self) -> str:
        return _text(self.node)

    @cached_property
    def names(self) -> frozenset[str]:
        """What it refers to, with attributes."""
        return frozenset(_referred(self.node))

    @cached_property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        return [node for node in ast.walk(self.node) if isinstance(node, ast.Import | ast.ImportFrom)]

    @property
    def is_import(self) -> bool:
        return isinstance(self.node, ast.Import | ast.ImportFrom)


@dataclass(frozen=True)
class _Source:
    """The statements of a module, and which of them, in order, bind each name or may change its value."""

    module: str
    package: str
    statements: tuple[_Statement, ...]
    binding: dict[str, list[int]]

    @staticmethod
    def of(module: str, file: Path) -> _Source:
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        try:
            body = ast.parse(file.read_bytes()).body
        except (SyntaxError, ValueError):  # so that it cannot be imported either
            body = []
        statements = tuple(map(_Statement, _run_by_import(body)))
        binding: dict[str, list[int]] = {}
        for number, statement in enumerate(statements):
            for name in set(_bound(statement.node)):
                binding.setdefault(name, []).append(number)
        return _Source(module, package, statements, binding)

    def part(self, name: str) -> tuple[str, list[Name]]:
        """The text of all that has to do with a name, and what that refers to."""
        if name == ALL:
            return "", [(self.module, bound) for bound in self.binding]
        texts, refers = [], []
        for number in sorted({*self.binding.get(_head(name), []), *self.binding.get(ALL, [])}):
            statement = self.statements[number]
            if not statement.is_import:
                texts.append(statement.text)
                refers += [(self.module, other) for other in statement.names]
            for node in statement.imports:
                for given in (name, *statement.names):
                    for text, targets in self._imported(node, given):
                        texts += [text] if statement.is_import else []
                        refers += targets
        return "\n".join(texts), refers

    def _imported(self, node: ast.Import | ast.ImportFrom, name: str) -> Iterator[tuple[str, list[Name]]]:
        """(text, what it refers to) of an import as far as it gives `name`."""
        head, _, rest = name.partition(".")
        for alias in node.names:
            given = alias.asname or (_head(alias.name) if isinstance(node, ast.Import) else alias.name)
            if given not in {head, ALL}:
                continue
            if isinstance(node, ast.Import):
                module, of = alias.name if alias.asname else given, []
            else:
                module, of = self._absolute(node), [head if alias.name == ALL else alias.name]
            yield f"{given} = {'.'.join([module, *of])}", _reached(module, [*of, *filter(None, rest.split("."))])

    def _absolute(self, node: ast.ImportFrom) -> str:
        name = "." * node.level + (node.module or "")
        try:
            return resolve_name(name, self.package)
        except ImportError:  # as it would be if it were run
            return name


def _reached(module: str, names: list[str]) -> list[Name]:
    """What `module.name.name` may be: names of the module, or of modules below it."""
    return [(".".join([module, *names[:n]]), ".".join(names[n:]) or ALL) for n in range(len(names) + 1)]


def _run_by_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements but for what only a script or a type checker does, and documentation."""
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass
            case (
                ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]))
                | ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"))
            ):
                yield from _run_by_import(statement.orelse)
            case _:
                yield statement


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds, or whose values it may change."""
    parts: list[ast.AST] = [statement]
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
            return
        case ast.Assign() | ast.Delete():
            parts = [*statement.targets]
        case ast.AugAssign() | ast.AnnAssign():
            parts = [statement.target]
    for node in (node for part in parts for node in ast.walk(part)):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store) or not hasattr(builtins, node.id):
                yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import):
            yield from (alias.asname or _head(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _referred(node: ast.AST) -> Iterator[str]:
    """The names that stand in it, each with the attributes behind it."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        yield ".".join([node.id, *attributes])
    else:
        for child in ast.iter_child_nodes(node):
            yield from _referred(child)


def _text(part: Any) -> str:
    """What a statement says, in the same words under every version of Python."""
    match part:
        case ast.JoinedStr():  # whose literal parts some versions leave as many as there were strings
            parts = (str(v.value) if isinstance(v, ast.Constant) else f"\0{_text(v)}\0" for v in part.values)
            return f"f{''.join(parts)!a}"
        case ast.AST():
            fields = [(name, value) for name, value in ast.iter_fields(part) if value is not None and value != []]
            said = (f"{name}={_text(value)}" for name, value in fields if name not in {"ctx", "kind"})
            return f"{type(part).__name__}({', '.join(said)})"
        case list():
            return f"[{', '.join(_text(each) for each in part if not _is_documentation(each))}]"
        case _:
            return ascii(part)


def _is_documentation(part: Any) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)
